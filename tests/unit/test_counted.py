"""A day's fingerprint: all that its run was computed from, whatever was read beside it."""

from jobs.counted import Counted, Read, fingerprints

DAY, NEXT = "2017-09-14", "2017-09-15"
READ = {
    (DAY, "c1", 0): Read(3, 5, 9, 0b0011, 1),
    (DAY, "c1", 11): Read(1, 0, 0, 0b0100, 0),
    (DAY, "c2", 0): Read(2, 7, 8, 2**63, 0),
    (NEXT, "c1", 0): Read(9, 1, 99, 0b1111, 9),
    ("none", "c1", 0): Read(1, 4, 4, 0b0001, 0),
}


def test_a_fingerprint_tells_of_the_days_own_records_and_those_of_no_day():
    counts = Counted({}, READ, 0, 0)
    found = fingerprints(counts, [DAY, "2017-09-16"], {DAY: 0b1000})
    assert found == {
        DAY: {
            "rows": 7,
            "offsets": {
                f"{DAY}/c1/0": [5, 9],
                f"{DAY}/c1/11": [0, 0],
                f"{DAY}/c2/0": [7, 8],
                "none/c1/0": [4, 4],
            },
            "tombstones": 1,
            "checksum": "800000000000000e",
        },
        "2017-09-16": {
            "rows": 1,
            "offsets": {"none/c1/0": [4, 4]},
            "tombstones": 0,
            "checksum": "0000000000000001",
        },
    }


def test_a_fingerprint_does_not_depend_on_the_other_days_that_were_read():
    alone = Counted({}, {place: read for place, read in READ.items() if place[0] != NEXT}, 0, 0)
    assert fingerprints(alone, [DAY], {}) == fingerprints(Counted({}, READ, 0, 0), [DAY], {})


def test_what_was_read_of_one_partition_adds_up():
    assert Read(3, 5, 9, 0b0011, 1) | Read(2, 1, 7, 0b0110, 2) == Read(5, 1, 9, 0b0101, 3)
