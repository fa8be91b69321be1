"""A version of a policy as text for POLICIES_FILE says the same as the policy."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from api.policies.toml_text import as_toml
from shared.policies.parsing import parse_policy

TERMS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=20)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "strictness": st.sampled_from(["lenient", "standard", "strict"]),
            "thresholds": st.dictionaries(TERMS, st.floats(0, 1), max_size=3),
            "labels": st.lists(st.sampled_from(["curse", "hate/age", '따옴"표'])),
            "deny": st.lists(
                TERMS | st.fixed_dictionaries({"term": TERMS, "label": st.just("광고"), "match": st.just("part")})
            ),
            "allow": st.lists(TERMS),
            "mask": st.fixed_dictionaries({"char": st.just("#"), "keep_first": st.booleans()}),
        },
    )
)
def test_what_is_pasted_into_the_file_is_the_same_policy(rules: dict[str, object]) -> None:
    policy = parse_policy(rules, 1_000)

    (found,) = tomllib.loads(as_toml("자유.게시판", policy)).items()

    assert (found[0], parse_policy(found[1], 1_000)) == ("자유.게시판", policy)
