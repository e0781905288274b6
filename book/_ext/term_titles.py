"""A link to a term of the glossary shows its definition while the mouse rests on it."""

from docutils import nodes

GLOSSARY = "book/glossary"


def definitions(env):
    """The text of each term's definition by the term's id; none in a page built on its own."""
    if GLOSSARY not in env.found_docs:
        return {}
    return {
        id: " ".join(item.next_node(nodes.definition).astext().replace("\\", "").split())
        for item in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item)
        for term in item.findall(nodes.term)
        for id in term["ids"]
    }


def add_titles(app, doctree, docname):
    """Give every reference to a term the definition as its title."""
    known = definitions(app.env)
    for link in doctree.findall(nodes.reference):
        term = link.get("refid") or link.get("refuri", "").rpartition("#")[2]
        if term in known:
            link["reftitle"] = known[term]


def setup(app):
    app.connect("doctree-resolved", add_titles)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
