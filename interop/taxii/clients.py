"""Drives a running node with TAXII clients that are not ours. The first argument is a JSON object; every check is
counted, and the first that fails ends the script. The last line on stdout is the number of checks."""

import json
import sys
import threading
import time

import requests
from cytaxii2 import cytaxii2
from taxii2client.common import TokenAuth
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

arg = json.loads(sys.argv[1])
checks = 0


def check(ok, *what):
    global checks
    if not ok:
        raise AssertionError(what)
    checks += 1


def status_of(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except requests.exceptions.HTTPError as e:
        return e.response.status_code
    return 200


def server(who, **how):
    return Server(arg["url"], user=who, password=arg["tokens"][who], verify=arg.get("verify", True), **how)


def collection(who, alias):
    return [c for c in server(who).default.collections if c.alias == alias][0]


def ids(pages):
    return [o["id"] for p in pages for o in p.get("objects", [])]


def indicator(n, version=1):
    return {
        "type": "indicator", "spec_version": "2.1", "id": "indicator--%08d-4444-4444-8444-444444444444" % n,
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-%02dT00:00:00.000Z" % version,
        "pattern": "[ipv4-addr:value = '203.0.113.%d']" % (n % 256), "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
    }


def discovery():
    s = server("soc")
    check(s.title and s.default is not None and [r.url for r in s.api_roots] == [s.default.url], "discovery")
    root = s.default
    check(root.title and root.versions == ["application/taxii+json;version=2.1"] and root.max_content_length > 0, "API root")
    check([(c.alias, c.can_read, c.can_write) for c in root.collections] ==
          [("inbox", True, True), ("alliance", True, False), ("everyone", True, False)], "collections")
    for c in root.collections:
        again = Collection(c.url, user="soc", password=arg["tokens"]["soc"], verify=arg.get("verify", True))
        check((again.id, again.title, again.media_types) == (c.id, c.title, c.media_types), "one collection", c.alias)
    check(Server(arg["url"], auth=TokenAuth(arg["tokens"]["soc"])).title == s.title, "a token in the header")
    for user, password in (("soc", "wrong"), ("bank", arg["tokens"]["soc"]), ("soc", arg["tokens"]["bank"])):
        check(status_of(lambda: Server(arg["url"], user=user, password=password).title) == 401, "a wrong token", user)


def reading():
    c = collection("soc", "alliance")
    want = arg["published"]
    for size in (1, 7, 100, len(want), 5000):
        if size == 1 and len(want) > 100:
            continue
        check(ids(as_pages(c.get_objects, per_request=size)) == want, "by limit and next", size)
        check(ids(as_pages(c.get_objects, per_request=size, type=["indicator", "tool"])) == want, "with a filter", size)
    check(ids([c.get_objects()]) == want[:1000], "without a limit")
    seen, after = [], None
    while True:  # a manifest has no cursor
        m = c.get_manifest(limit=50, added_after=after)
        seen += [o["id"] for o in m.get("objects", [])]
        if not m.get("more"):
            break
        after = m["objects"][-1]["date_added"]
    check(seen == want, "manifest by added_after")
    dates = [o["date_added"] for o in c.get_manifest(limit=1000)["objects"]]
    check(dates == sorted(set(dates)), "dates rise")
    check(ids([c.get_objects(id=want[3])]) == [want[3]] and ids([c.get_object(want[3])]) == [want[3]], "by id")
    check(c.get_objects(type="malware") == {}, "nothing of a type")
    check(c.get_objects(id=want[3], version="2001-01-01T00:00:00Z") == {}, "no such version")
    check(len(c.object_versions(want[3])["versions"]) == 1, "versions")
    check(c.get_objects(spec_version="2.0") == {}, "no STIX 2.0")
    check(status_of(c.get_object, "indicator--00000000-0000-4000-8000-000000000000") == 404, "an unknown object")
    for bad in ({"added_after": "yesterday"}, {"limit": -1}, {"version": "newest"}, {"next": "x"}):
        check(status_of(c.get_objects, **bad) == 400, "a bad filter", bad)


def writing():
    c = collection("soc", "inbox")
    first, second = indicator(1, 1), indicator(1, 2)
    st = c.add_objects({"objects": [first, second, indicator(2), {"type": "indicator"}]})
    check((st.status, st.total_count, st.success_count, st.failure_count, st.pending_count) == ("complete", 4, 3, 1, 0), "status", st._raw)
    check(len(st.successes) == 3 and len(st.failures) == 1 and st.failures[0]["message"], "details")
    again = server("soc").default.get_status(st.id)
    check(again._raw == st._raw, "status asked for")
    check(status_of(server("bank").default.get_status, st.id) == 404, "another's status")
    check(c.get_object(first["id"])["objects"] == [second], "the newest")
    check(c.get_object(first["id"], version="all")["objects"] == [first, second], "all versions")
    check(c.get_object(first["id"], version="first")["objects"] == [first], "the first")
    check(c.get_object(first["id"], version=second["modified"])["objects"] == [second], "one version")
    check(c.object_versions(first["id"])["versions"] == [first["modified"], second["modified"]], "versions")
    check(c.add_objects({"objects": [first]}).success_count == 1, "a duplicate is no error")
    check(c.delete_object(first["id"], version=second["modified"]) is None and c.get_object(first["id"])["objects"] == [first], "one version deleted")
    c.delete_object(first["id"])
    check(status_of(c.get_object, first["id"]) == 404 and status_of(c.object_versions, first["id"]) == 404, "deleted")
    check(ids([c.get_manifest()]) == [indicator(2)["id"]], "gone from the manifest")
    check(status_of(c.delete_object, first["id"]) == 404, "deleted twice")
    c.delete_object(indicator(2)["id"])
    bank = collection("bank", "inbox")
    check(bank.add_objects({"objects": [indicator(3)]}).success_count == 1 and bank.get_objects() == {}, "a constituent posts and does not read")
    check(status_of(c.delete_object, indicator(3)["id"]) == 403, "another's posting")
    check(status_of(c._conn.post, collection("soc", "alliance").objects_url, headers={"Accept": "application/taxii+json;version=2.1", "Content-Type": "application/taxii+json;version=2.1"}, data=b"{}") == 403, "not the inbox")


def cyware():
    client = cytaxii2.cytaxii2(arg["url"], "soc", arg["tokens"]["soc"])
    check(client.discovery_request()["response"]["default"] == arg["url"] + "root/", "discovery")
    check(client.root_discovery()["response"]["max_content_length"] > 0, "API root")
    found = client.collection_request()["response"]["collections"]
    alliance = [c for c in found if c["alias"] == "alliance"][0]["id"]
    inbox = [c for c in found if c["alias"] == "inbox"][0]["id"]
    check(client.collection_data_request(alliance)["response"]["id"] == alliance, "one collection")
    want, seen, following = arg["published"], [], None
    while True:
        page = client.poll_request(alliance, limit=40, next=following)
        check(page["status"], page)
        seen += [o["id"] for o in page["response"].get("objects", [])]
        if not page["response"].get("more"):
            break
        following = page["response"]["next"]
    check(seen == want, "by limit and next")
    manifest = collection("soc", "alliance").get_manifest(limit=10)["objects"]
    rest = client.poll_request(alliance, added_after=manifest[-1]["date_added"], limit=5000)["response"]["objects"]
    check([o["id"] for o in rest] == want[10:], "by added_after")
    check([o["id"] for o in client.poll_request(alliance, object_id=want[5])["response"]["objects"]] == [want[5]], "by id")
    check(client.poll_request(alliance, object_type="malware")["response"] == {}, "nothing of a type")
    posted = client.inbox_request(inbox, json.dumps({"objects": [indicator(50)]}))
    check(posted["status_code"] == 202 and posted["response"]["success_count"] == 1, posted)
    wrong = cytaxii2.cytaxii2(arg["url"], "soc", "wrong").discovery_request()
    check(wrong["status_code"] == 401 and wrong["response"]["http_status"] == "401", wrong)
    nothing = client.collection_data_request("00000000-0000-4000-8000-000000000000")
    check(nothing["status_code"] == 404 and nothing["response"]["title"], nothing)


def arriving():
    """Two readers page, one by cursor and one by date, while a third client posts."""
    total, start = 600, 1000
    done = threading.Event()
    faults = []

    def posting():
        try:
            c = collection("soc", "inbox")
            n = start
            while n < start + total:
                size = 1 + n % 9
                batch = [indicator(i) for i in range(n, min(n + size, start + total))]
                check(c.add_objects({"objects": batch}).failure_count == 0, "posting")
                n += len(batch)
        except Exception as e:  # told by the main thread
            faults.append(e)
        done.set()

    def reading(by_cursor):
        try:
            c, seen, after, following, last = collection("siem", "inbox"), [], None, None, False
            while True:
                ended = done.is_set()
                page = c.get_objects(limit=7, next=following) if by_cursor and following else c.get_objects(limit=7, added_after=after)
                got = [o["id"] for o in page.get("objects", [])]
                seen += got
                if got:
                    entry = c.get_manifest(id=got[-1])["objects"]
                    after = entry[-1]["date_added"]
                following = page.get("next")
                if not got and not page.get("more"):
                    if last:
                        break
                    last = ended
                    time.sleep(0.01)
            arrived = [i for i in seen if i >= indicator(start)["id"]]
            check(len(seen) == len(set(seen)), "none is seen twice", by_cursor)
            check(arrived == [indicator(i)["id"] for i in range(start, start + total)], "none is lost", by_cursor, len(arrived))
        except Exception as e:
            faults.append(e)

    threads = [threading.Thread(target=posting), threading.Thread(target=reading, args=(True,)), threading.Thread(target=reading, args=(False,))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if faults:
        raise faults[0]


def certificate():
    root = ApiRoot(arg["url"] + "root/", verify=arg["verify"], cert=(arg["cert"], arg["key"]))
    check([c.alias for c in root.collections] == ["inbox", "alliance", "everyone"], "by a certificate")
    check(server("soc").title, "by a token, over TLS")
    check(status_of(lambda: Server(arg["url"], verify=arg["verify"]).title) == 401, "by nothing")


for name in arg["scenarios"]:
    globals()[name]()
    print(name, file=sys.stderr)
print(checks)
