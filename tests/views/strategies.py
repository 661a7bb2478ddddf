"""Any condition on the made workspace."""

from __future__ import annotations

from hypothesis import strategies as st

from curation.views import Among, Decided, Like, Picked, Range, Region, Rows, Shape, Where, Words

N = 48
numbers = st.floats(-2, 2).map(lambda v: round(v, 2))
corners = st.tuples(st.floats(-8, 8), st.floats(-8, 8))
shapes = st.builds(Shape, op=st.sampled_from(["add", "subtract"]), points=st.lists(corners, min_size=3, max_size=6))
bounds = st.tuples(st.none() | numbers, st.none() | numbers).filter(lambda b: b != (None, None))
ordered = bounds.map(lambda b: b if None in b else tuple(sorted(b)))
row_sets = st.lists(st.integers(0, N - 1), min_size=1, max_size=6, unique=True)

ranges = st.builds(
    lambda b, column: Range(score="quality", column=column, low=b[0], high=b[1]),
    ordered, st.sampled_from([None, "extra"]),
)  # fmt: skip
lengths = st.tuples(st.integers(0, 30), st.integers(0, 60)).map(
    lambda b: Range(score="length", low=b[0], high=b[0] + b[1])
)
topics = st.builds(
    Among, labels=st.just("topic"), keep=st.sampled_from(["among", "others"]),
    values=st.lists(st.sampled_from(["a", "b", "it's", "noise"]), min_size=1, max_size=3, unique=True),
)  # fmt: skip
files = st.builds(
    Among, labels=st.just("source"), keep=st.sampled_from(["among", "others"]),
    values=st.lists(st.sampled_from(["one.json", "it's.json"]), min_size=1, max_size=2, unique=True),
)  # fmt: skip
filters = st.sampled_from([
    Where(expression="quality_1_10 > 0 OR topic = 'it''s'"),
    Where(expression="q.extra <= 0.5", names=(("q", "quality"),)),
    Where(expression="record.rating IN (1, 3) AND NOT (turns > 2)"),
    Where(expression="record.kind IS NULL"),
    Where(expression="row > 99"),
    Where(expression="source_name = 'one.json' AND len > 10", names=(("len", "length"), ("source_name", "source"))),
])  # fmt: skip
searches = st.builds(
    Words, text=st.sampled_from(["river", "RIVER -lamp", '"stone river"', "GRÜN слово", "-seven", "iver"]),
    inside=st.sampled_from(["both", "prompt", "response"]), whole=st.booleans(), case=st.booleans(),
)  # fmt: skip
patterns = st.just(Words(text="r[a-z]+r s", regex=True))
vector_rows = st.lists(st.sampled_from([0, 1, 9, 20, 40]), min_size=1, max_size=3, unique=True).map(tuple)
likes = st.builds(Like, features=st.just("vectors"), rows=vector_rows, top=st.integers(1, 60), farthest=st.booleans())
texts = st.builds(
    Like, features=st.just("vectors"), text=st.sampled_from(["a river", "$stone"]), top=st.integers(1, 60),
    farthest=st.booleans(),
)  # fmt: skip
by_number = st.builds(Rows, rows=row_sets.map(lambda rows: ",".join(map(str, rows))))
picks = st.builds(Picked, selection=st.just("plain"), keep=st.sampled_from(["in", "out"])) | st.builds(
    Picked, selection=st.just("nested"), budget=st.none() | st.integers(0, 30), keep=st.sampled_from(["in", "out"])
)
decided = st.builds(Decided, which=st.sampled_from(["keep", "drop", "noted", "none"]))
regions = st.builds(Region, layout=st.just("map"), shapes=st.lists(shapes, min_size=1, max_size=3))

conditions = st.one_of(
    regions, ranges, lengths, topics, files, filters, searches, patterns, likes, texts, by_number, picks, decided
)
