"""The schematic shows what its words say."""

from lib.chapter.schematic import ALT, FEATURES, MIXINGS, ORDERS, schematic


def test_both_networks_carry_all_features_each_mixed_in_its_own_way():
    for network, mixing in MIXINGS.items():
        assert {feature for neuron in mixing for feature in neuron} == {*range(len(FEATURES))}
        assert sorted(ORDERS[network]) == [*range(len(FEATURES))]
    assert not {*map(frozenset, MIXINGS["a"])} & {*map(frozenset, MIXINGS["b"])} and ORDERS["a"] != ORDERS["b"]


def test_every_pairing_has_its_letters_in_the_picture_and_in_words():
    (ax,) = schematic()
    written = [text.get_text() for text in ax.texts]
    for letters in ("N-N", "S-S", "S-N", "R-S"):
        assert written.count(letters) == 1 and f"({letters})" in ALT
