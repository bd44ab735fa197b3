"""Signatures of HTTP Digest against the examples of its own standards, and challenges as servers write them."""

from __future__ import annotations

import re
from unittest.mock import patch

import pytest

from logger.digest import Challenge, Digest, read_challenge

_2617 = (
    'realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
_7616 = (
    'realm="http-auth@example.org", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("challenge", "user", "own_nonce", "response"),
    [
        (
            f'Digest {_2617}, qop="auth,auth-int"',
            Digest("Mufasa", "Circle Of Life"),
            "0a4f113b",
            "6629fae49393a05397450978507c4ef1",
        ),
        (f"Digest {_2617}", Digest("Mufasa", "CircleOfLife"), "", "1949323746fe6a43ef61f9606e7febea"),
        (
            f'Digest {_7616}, qop="auth, auth-int", algorithm=MD5',
            Digest("Mufasa", "Circle of Life"),
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "8ca523f5e9506fed4657c9700eebdbec",
        ),
        (
            f'Digest {_7616}, qop="auth", algorithm=SHA-256',
            Digest("Mufasa", "Circle of Life"),
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ],
    ids=["RFC 2617", "RFC 2069", "RFC 7616 MD5", "RFC 7616 SHA-256"],
)
def test_a_signature_is_the_one_of_the_standard(challenge: str, user: Digest, own_nonce: str, response: str) -> None:
    asked = read_challenge([challenge])
    assert asked is not None
    with patch("logger.digest.secrets.token_hex", return_value=own_nonce):
        signed = asked.sign(user, "GET", "/dir/index.html")
    assert f'response="{response}"' in signed
    assert f'opaque="{asked.opaque}"' in signed


@pytest.mark.parametrize(
    "headers",
    [
        ['digest REALM="r", Nonce="n", QOP=auth'],
        ['Basic realm="x"', 'Digest realm="r", nonce="n", qop="auth"'],
        ['Basic realm="x", Digest realm="r", nonce="n", qop="auth"'],
        ['Digest realm = "r" , nonce = "n",qop="auth,auth-int", Basic realm="x"'],
    ],
    ids=["other letters", "two headers", "one header", "blanks, and another behind it"],
)
def test_a_challenge_is_found_however_it_is_written(headers: list[str]) -> None:
    asked = read_challenge(headers)
    assert asked == Challenge("r", "n", has_qop=True)


def test_no_digest_is_no_challenge() -> None:
    assert read_challenge([]) is None
    assert read_challenge(['Basic realm="digest"', "Negotiate"]) is None


def test_each_request_counts_the_nonce_up_until_the_server_names_another() -> None:
    asked = Challenge("r", "n", has_qop=True)
    user = Digest("envoy", "122334")
    counts = [re.findall('nonce="([^"]*)".* nc=([0-9a-f]+)', asked.sign(user, "GET", "/x"))[0] for _ in range(2)]
    asked.follow('qop=auth, nextnonce="n2"')
    counts += re.findall('nonce="([^"]*)".* nc=([0-9a-f]+)', asked.sign(user, "GET", "/x"))
    assert counts == [("n", "00000001"), ("n", "00000002"), ("n2", "00000001")]


def test_quotes_in_names_are_escaped_and_a_line_break_in_a_challenge_is_refused() -> None:
    assert 'username="a\\"b\\\\c"' in Challenge("r", "n").sign(Digest('a"b\\c', "p"), "GET", "/x")
    with pytest.raises(ValueError, match="no valid HTTP Digest"):
        read_challenge(['Digest realm="r\r\nx: y", nonce="n"'])


def test_a_password_is_not_in_the_repr_of_what_carries_it() -> None:
    assert "topsecret" not in repr(Digest("u", "topsecret"))
