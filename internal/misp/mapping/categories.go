package mapping

import "strings"

// defaults are MISP's categories and the attribute types of which each is the default one. "Payload delivery" is that
// of all others.
var defaults = map[string]string{
	"Artifacts dropped": "gene, kusto-query, mime-type, mutex, named pipe, pdb, process-state, windows-scheduled-task, windows-service-displayname, " +
		"windows-service-name",
	"Attribution": "campaign-id, campaign-name, dns-soa-email, threat-actor, whois-creation-date, whois-registrant-email, whois-registrant-name, " +
		"whois-registrant-org, whois-registrant-phone, whois-registrar",
	"External analysis":  "attachment, cortex, cpe, link, vulnerability, weakness",
	"Financial fraud":    "aba-rtn, bank-account-nr, bic, bin, btc, cc-number, dash, iban, prtn, xmr",
	"Internal reference": "git-commit-id",
	"Network activity": "AS, bro, community-id, cookie, dkim, dkim-signature, dom-hash, domain, domain|ip, email-dst, eppn, favicon-mmh3, hassh-md5, " +
		"hasshserver-md5, hostname, hostname|port, http-method, ip-dst, ip-dst|port, ip-src, ip-src|port, ja3-fingerprint-md5, jarm- " +
		"fingerprint, mac-address, mac-eui-64, onion-address, pattern-in-traffic, port, snort, ssh-fingerprint, suricata, uri, url, " +
		"user-agent, x509-fingerprint-md5, x509-fingerprint-sha1, x509-fingerprint-sha256, zeek",
	"Other":                 "anonymised, boolean, comment, counter, datetime, float, hex, integer, other, size-in-bytes, text, uuid",
	"Payload installation":  "filename-pattern, pattern-in-file, pattern-in-memory, sigma, stix2-pattern, yara",
	"Persistence mechanism": "regkey, regkey|value",
	"Person": "country-of-residence, date-of-birth, first-name, frequent-flyer-number, full-name, gender, identity-card-number, issue-date- " +
		"of-the-visa, last-name, middle-name, nationality, passenger-name-record-locator-number, passport-country, passport- " +
		"expiration, passport-number, payment-details, pgp-private-key, pgp-public-key, phone-number, place-of-birth, place-port-of- " +
		"clearance, place-port-of-onward-foreign-destination, place-port-of-original-embarkation, primary-residence, redress-number, " +
		"special-service-request, travel-details, visa-number",
	"Social network": "email, github-organisation, github-repository, github-username, jabber-id, twitter-id",
	"Targeting data": "target-email, target-external, target-location, target-machine, target-org, target-user",
}

// categories are the default categories by type.
var categories = func() map[string]string {
	out := map[string]string{}
	for category, types := range defaults {
		for typ := range strings.SplitSeq(types, ", ") {
			out[typ] = category
		}
	}
	return out
}()
