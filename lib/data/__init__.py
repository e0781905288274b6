"""Readers and makers of data: files in, tensors out."""
