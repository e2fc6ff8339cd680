package misp

import "strings"

func hexOf(n int) string { return strings.Repeat("0123456789abcdef", 9)[:n] }

// valueOf is a value that PyMISP takes for a type; most types take any text.
var valueOf = map[string][]string{
	"md5": {hexOf(32)}, "sha1": {hexOf(40)}, "sha224": {hexOf(56)}, "sha256": {hexOf(64), strings.ToUpper(hexOf(64))}, "sha384": {hexOf(96)}, "sha512": {hexOf(128)},
	"sha512/224": {hexOf(56)}, "sha512/256": {hexOf(64)}, "sha3-224": {hexOf(56)}, "sha3-256": {hexOf(64)}, "sha3-384": {hexOf(96)}, "sha3-512": {hexOf(128)},
	"authentihash": {hexOf(64)}, "imphash": {hexOf(32)}, "pehash": {hexOf(40)}, "cdhash": {hexOf(40)}, "vhash": {"015056655d155az5vz"},
	"tlsh": {hexOf(70)}, "telfhash": {hexOf(70)}, "ssdeep": {"3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C"}, "impfuzzy": {"24:abc:def"},
	"filename|md5": {"a.exe|" + hexOf(32)}, "filename|sha1": {"a.exe|" + hexOf(40)}, "filename|sha224": {"a.exe|" + hexOf(56)}, "filename|sha256": {"a.exe|" + hexOf(64)},
	"filename|sha384": {"a.exe|" + hexOf(96)}, "filename|sha512": {"a.exe|" + hexOf(128)}, "filename|sha512/224": {"a.exe|" + hexOf(56)},
	"filename|sha512/256": {"a.exe|" + hexOf(64)}, "filename|sha3-224": {"a.exe|" + hexOf(56)}, "filename|sha3-256": {"a.exe|" + hexOf(64)},
	"filename|sha3-384": {"a.exe|" + hexOf(96)}, "filename|sha3-512": {"a.exe|" + hexOf(128)}, "filename|authentihash": {"a.exe|" + hexOf(64)},
	"filename|imphash": {"a.exe|" + hexOf(32)}, "filename|pehash": {"a.exe|" + hexOf(40)}, "filename|vhash": {"a.exe|015056655d155az5vz"},
	"filename|tlsh": {"a.exe|" + hexOf(70)}, "filename|ssdeep": {"a.exe|3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C"}, "filename|impfuzzy": {"a.exe|24:abc:def"},
	"malware-sample": {"a.exe|" + hexOf(32)}, "filename": {"evil.exe", `C:\Windows\evil.exe`, "/tmp/x"}, "attachment": {"a.png"},
	"ip-src": {"198.51.100.1", "2001:db8::1", "198.51.100.0/24"}, "ip-dst": {"203.0.113.7", "2001:db8::2"}, "ip-src|port": {"198.51.100.1|8080"},
	"ip-dst|port": {"203.0.113.7|443", "2001:db8::2|443"}, "domain": {"evil.example"}, "hostname": {"www.evil.example"}, "domain|ip": {"evil.example|203.0.113.7"},
	"hostname|port": {"www.evil.example|443"}, "url": {"https://evil.example/a?b='c'", `http://evil.example/\x`}, "uri": {"/a/b"}, "link": {"https://ref.example/"},
	"email": {"a@evil.example"}, "email-src": {"a@evil.example"}, "email-dst": {"b@evil.example"}, "target-email": {"b@evil.example"}, "eppn": {"a@evil.example"},
	"email-subject": {"it's"}, "email-message-id": {"<1@evil.example>"}, "email-reply-to": {"r@evil.example"}, "jabber-id": {"a@evil.example"},
	"dns-soa-email": {"a@evil.example"}, "whois-registrant-email": {"a@evil.example"},
	"regkey": {`HKLM\Software\Run\x`}, "regkey|value": {`HKLM\Software\Run\x|evil.exe`}, "mutex": {`Global\m`}, "user-agent": {"Mozilla/5.0"}, "http-method": {"POST"},
	"mac-address": {"00:11:22:33:44:55"}, "mac-eui-64": {"00:11:22:ff:fe::33:44:55"}, "AS": {"AS64496", "64496"}, "port": {"443"}, "size-in-bytes": {"123"}, "counter": {"1"},
	"integer": {"7"}, "float": {"1.5"}, "boolean": {"1"}, "datetime": {"2024-05-01T10:00:00+00:00"}, "hex": {"ABCD"}, "vulnerability": {"CVE-2021-44228"}, "weakness": {"CWE-79"},
	"x509-fingerprint-md5": {hexOf(32)}, "x509-fingerprint-sha1": {hexOf(40)}, "x509-fingerprint-sha256": {hexOf(64)},
	"ja3-fingerprint-md5": {hexOf(32)}, "hassh-md5": {hexOf(32)}, "hasshserver-md5": {hexOf(32)}, "jarm-fingerprint": {hexOf(62)}, "dom-hash": {hexOf(32)}, "git-commit-id": {hexOf(40)},
	"yara": {"rule a { condition: true }"}, "sigma": {"title: t"}, "snort": {`alert tcp any any -> any any (msg:"x"; sid:1;)`}, "suricata": {`alert tcp any any -> any any (msg:"x"; sid:1;)`},
	"stix2-pattern": {"[ipv4-addr:value = '203.0.113.7']"}, "campaign-name": {"a campaign"}, "github-username": {"octo"},
	"btc": {"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"}, "dash": {"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"}, "xmr": {"4A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"}, "iban": {"DE89370400440532013000"}, "bic": {"DEUTDEFF"},
	"bin": {"123456"}, "cc-number": {"4111111111111111"}, "prtn": {"49301234"}, "bank-account-nr": {"123"}, "aba-rtn": {"123"}, "phone-number": {"+49301234"}, "whois-registrant-phone": {"+49301234"},
	"ssh-fingerprint": {"16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48"}, "uuid": {"5cfc1a2b-0001-4000-8000-000000000001"}, "cortex": {"{}"},
	"onion-address": {"vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd.onion"}, "passport-number": {"123"}, "edge-extension-id": {strings.Repeat("abcdefghijklmnop", 2)}, "chrome-extension-id": {strings.Repeat("abcdefghijklmnop", 2)},
	"cpe": {"cpe:2.3:a:x:y:1:*:*:*:*:*:*:*"}, "community-id": {"1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="},
}

func someValue(typ string, n int) string {
	if list := valueOf[typ]; len(list) > 0 {
		return list[n%len(list)]
	}
	return "some text"
}
