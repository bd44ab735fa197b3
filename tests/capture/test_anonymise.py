"""Nothing that tells who or where survives; everything else stays byte for byte."""

from __future__ import annotations

import json
import re

import pytest

from logger.capture.anonymise import Anonymiser
from tests.sizes import CI, LONG

NOW = 1_750_000_000  # a day of June: Amsterdam is two hours ahead
SENTINELS = {
    "serial": "122446001637",
    "other serial": "482330056775",
    "serial of 14 digits": "12345678901006",
    "token": "eyJhbGciOi.eyJhdWQiOiI.c2lnbmF0dXJl",
    "mac": "00:1D:C0:7F:B6:3B",
    "ip": "192.168.3.112",
    "ipv6": "fe80::21d:c0ff:fe7f:b63b",
    "host": "envoy.local",
    "ssid": "Fam. Jansen & Zn",
    "load": "Heat pump Ünder",
    "e-mail": "jan.jansen@example.com",
    "site": "Jansenhof",
    "zone": "Europe/Amsterdam",
    "place": "Lutjebroek",
    "latitude": "52.70132",
    "model": "G007223-0",
    "password": "pw-of-the-owner",
}
HOME = (
    '{ "serial_num" : "122446001637",\n "timezone": "Europe/Amsterdam", "current_date": "04/24/2025",'
    ' "sn": 482330056775,'
    '"network": {"interfaces": [{"mac":"00:1D:C0:7F:B6:3B","ip":"192.168.3.112", "ip6": "fe80::21d:c0ff:fe7f:b63b",'
    '"ssid": "Fam. Jansen & Zn", "up": true, "netmask": "255.255.255.0"}]}, "city":"Lutjebroek",'
    ' "latitude": 52.70132,'
    '"power": 1.50, "big": 1e3, "zero": -0.0, "hex": "0x0000000000301000", "version": "8.3.1.5"}'
)
OTHER = (
    '{"122446001637": {"sn": "122446001637EIM1", "12345678901006": {"soc": 5}},'
    ' "list": [{"x": "at 12122446001637 !"}],'
    '"text": "jan.jansen@example.com owns Jansenhof at fe80::21d:c0ff:fe7f:b63b, 192.168.3.112:443;'
    ' eyJhbGciOi.eyJhdWQiOiI.c2lnbmF0dXJl", "load_name": "Heat pump \\u00dcnder",'
    ' "log": "Heat pump Ünder shed by Fam. Jansen & Zn",'
    ' "n": 122446001637,'
    '"url": "https://envoy.local/x?s=Fam.%20Jansen%20%26%20Zn", "mac2": "001dc07fb63b", "model": "G007223-0",'
    '"when": "2025-07-28 11:53:52 UTC", "stamp": "20250728115352", "pw": "pw-of-the-owner",'
    ' "m2": "00-1d-c0-7f-b6-3b"}'
)
HTML = (
    "<html><title>Envoy 122446001637</title><td>SSID</td><td> Fam. Jansen &amp; Zn </td><td>Site name</td>"
    "<td>Jansenhof</td><a href='http://192.168.3.112/'>00:1D:C0:7F:B6:3B</a> in Lutjebroek, Europe/Amsterdam</html>"
)
XML = (
    "<?xml version='1.0'?><envoy_info><time>1750000000</time><device><sn>122446001637</sn>"
    "<software>D8.3.5433</software></device><package name='app'><version>02.01.15.7</version></package></envoy_info>"
)
DOCUMENTS = {"/home.json": HOME, "/other": OTHER, "/home": HTML, "/info": XML}


def anonymised(documents: dict[str, str], **known: list[str]) -> dict[str, str]:
    anonymiser = Anonymiser(NOW, secrets=known.get("secrets", ()), names=known.get("names", ()))
    for path, text in documents.items():
        anonymiser.learn(path, text.encode())
    return {path: anonymiser.clean(path, text.encode()).decode() for path, text in documents.items()}


def all_cleaned() -> dict[str, str]:
    return anonymised(DOCUMENTS, secrets=["pw-of-the-owner"], names=["Jansenhof", "jan.jansen@example.com"])


@pytest.mark.parametrize("what", SENTINELS)
def test_no_original_survives_anywhere_in_any_form(what: str) -> None:
    original = SENTINELS[what]
    forms = {
        original,
        original.lower(),
        json.dumps(original)[1:-1],
        original.replace("&", "&amp;"),
        original.replace(":", ""),
    }
    for path, text in all_cleaned().items():
        for form in forms | {original.replace(" ", "%20").replace("&", "%26")}:
            assert form not in text, path


def test_the_same_original_has_the_same_standin_everywhere() -> None:
    found = all_cleaned()
    home, other = json.loads(found["/home.json"]), json.loads(found["/other"])
    serial = home["serial_num"]
    assert re.fullmatch(r"9\d{11}", serial)
    assert other[serial]["sn"] == f"{serial}EIM1"
    assert other["list"][0]["x"] == f"at 12{serial} !"
    assert other["n"] == int(serial)
    assert f"<sn>{serial}</sn>" in found["/info"]
    assert f"<title>Envoy {serial}</title>" in found["/home"]
    wifi = home["network"]["interfaces"][0]
    assert f"shed by {wifi['ssid']}" in other["log"]
    assert other["log"].startswith(other["load_name"])
    assert wifi["ssid"] in found["/home"]
    assert other["m2"] == wifi["mac"].replace(":", "-").lower()
    assert other["mac2"] == wifi["mac"].replace(":", "").lower()
    assert f"http://{wifi['ip']}/" in found["/home"]


def test_everything_else_stays_byte_for_byte() -> None:
    found = all_cleaned()
    for kept in (
        '"power": 1.50, "big": 1e3, "zero": -0.0, "hex": "0x0000000000301000", "version": "8.3.1.5"}',
        '{ "serial_num" : "9',
        '",\n "timezone": "',
        '"current_date": "04/24/2025"',
        '"netmask": "255.255.255.0"',
    ):
        assert kept in found["/home.json"]
    assert '"when": "2025-07-28 11:53:52 UTC", "stamp": "20250728115352"' in found["/other"]
    assert "<version>02.01.15.7</version>" in found["/info"]
    assert "<time>1750000000</time>" in found["/info"]
    plain = '[ {"a":[ 1.0,2e-3 ,null ]},\r\n\t"\\u00e9 é\\/" , true]\n'
    assert anonymised({"/x": plain})["/x"] == plain
    odd = b'{"a": "\xff\xfe", "b": 1}'
    assert Anonymiser(NOW).clean("/x", odd) == odd


def test_a_zone_keeps_its_offset_and_a_place_its_number_form() -> None:
    home = all_cleaned()["/home.json"]
    assert '"timezone": "Etc/GMT-2"' in home
    assert '"latitude": 0.00000' in home


def test_a_cut_document_keeps_no_half_of_anything() -> None:
    for end in range(1, len(OTHER), 1 if LONG or CI else 3):
        anonymiser, cut = Anonymiser(NOW, secrets=["pw-of-the-owner"]), OTHER[:end].encode()
        anonymiser.learn("/other", cut)
        anonymiser.learn("/home.json", HOME.encode())
        text = anonymiser.clean("/other", cut).decode()
        assert "1224460016" not in text
        assert "Heat" not in text


def test_names_that_are_words_of_the_gateway_do_not_spoil_its_documents() -> None:
    contacts = (
        '{"dry_contacts": [{"id": "NC1", "type": "LOAD", "load_name": "NC1"}, {"id": "NO1", "load_name": "load"}]}'
    )
    meters = '[{"measurementType": "production", "state": "enabled"}, {"load": {"Solar_grid_mode": "grid"}}]'
    found = anonymised({"/c": contacts, "/m": meters, "/w": '{"ssid": "production", "load_name": "Solar"}'})
    assert found["/m"] == meters
    assert re.sub(r"name-\d", "*", found["/c"]) == contacts.replace('e": "NC1"', 'e": "*"').replace('"load"}', '"*"}')
    assert "production" not in found["/w"]


def test_two_devices_with_one_serial_stay_two_with_one_serial_and_others_stay_apart() -> None:
    serials = ["122000000001", "122000000001", "122000000002", "900000000001"]
    text = json.dumps([{"serial_num": serial} for serial in serials])
    found = [line["serial_num"] for line in json.loads(anonymised({"/x": text})["/x"])]
    assert found[0] == found[1]
    assert len({*found}) == 3
    assert not {*found} & {*serials}
