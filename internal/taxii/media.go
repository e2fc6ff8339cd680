package taxii

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// Media types (section 1.6.8.1).
const (
	mediaType = "application/taxii+json;version=2.1"
	bareType  = "application/taxii+json"
	stixType  = "application/stix+json;version=2.1"
	version   = "2.1"
)

// acceptable checks that the client takes what is answered here. The version is a parameter that may be left out;
// a media type that the specification defines is never refused.
func (r *request) acceptable() error {
	accept := r.Header.Values("Accept")
	if len(accept) == 0 {
		return nil // RFC 9110, section 12.5.1: anything is acceptable
	}
	for _, one := range strings.Split(strings.Join(accept, ","), ",") {
		if acceptsTAXII(one) {
			return nil
		}
	}
	return problem(http.StatusNotAcceptable, "Not acceptable", "want Accept: %s", mediaType)
}

// acceptsTAXII says whether one media range covers TAXII 2.1.
func acceptsTAXII(mediaRange string) bool {
	typ, params, err := mime.ParseMediaType(mediaRange)
	if err != nil {
		return false
	}
	if q, given := params["q"]; given {
		if weight, err := strconv.ParseFloat(q, 64); err != nil || weight <= 0 {
			return false
		}
	}
	switch typ {
	case "*/*", "application/*":
		return true
	case bareType:
		v, given := params["version"]
		return !given || v == version
	}
	return false
}

// sendsTAXII checks a body's type.
func (r *request) sendsTAXII() error {
	typ, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	v, given := params["version"]
	if err != nil || typ != bareType || given && v != version {
		return problem(http.StatusUnsupportedMediaType, "Unsupported media type", "want Content-Type: %s", mediaType)
	}
	return nil
}
