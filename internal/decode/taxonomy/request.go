package taxonomy

import (
	"strings"

	"shieldwall/internal/event"
)

// Request names the parts of an HTTP request. target is what stands in the request line: a path with its
// query, or a whole URL as a proxy gets it.
//
// Rules disagree about c-uri: some ask for the path alone ('/admin/get.php'), some for the URL ('http...'),
// and those for web servers mostly look for paths in cs-uri-query, a few for what stands behind the question
// mark. So these three names get both forms where they differ, and a comparison holds for any of them.
func Request(ev *event.Event, scheme, host, target string) {
	if target == "" {
		return
	}
	full, relative := target, target
	if at := strings.Index(target, "://"); at > 0 && !strings.ContainsAny(target[:at], "/?") {
		rest := target[at+len("://"):]
		if slash := strings.IndexAny(rest, "/?"); slash >= 0 {
			relative = rest[slash:]
		} else {
			relative = "/"
		}
	} else if host != "" && strings.HasPrefix(target, "/") {
		full = scheme + "://" + host + target
	}
	uri := either(relative, full)
	Put(ev, "c-uri", uri)
	Put(ev, "cs-uri", uri)
	stem, query, asked := strings.Cut(relative, "?")
	Put(ev, "cs-uri-stem", event.Str(stem))
	Put(ev, "c-uri-stem", event.Str(stem))
	if asked {
		Put(ev, "c-uri-query", event.Str(query))
		Put(ev, "cs-uri-query", either(relative, query))
	} else {
		Put(ev, "cs-uri-query", event.Str(relative))
	}
	file := stem[strings.LastIndexByte(stem, '/')+1:]
	if dot := strings.LastIndexByte(file, '.'); dot >= 0 && dot+1 < len(file) {
		Put(ev, "c-uri-extension", event.Str(file[dot+1:]))
	}
}

// either is a value that two texts stand for.
func either(a, b string) event.Value {
	if a == b {
		return event.Str(a)
	}
	return event.Value{Kind: event.List, Items: []event.Value{event.Str(a), event.Str(b)}}
}
