package stixpattern

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator makes patterns and observed data that often have to do with each other.
type generator struct {
	*rand.Rand
	unmatched bool // the pattern has something in it that stix2-matcher cannot evaluate
}

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *generator) one(in int) bool { return g.IntN(in) == 0 }

var (
	names    = []string{"a.exe", "b.dll", "A.EXE", "evil file.txt", "caf\u00e9", "cafe\u0301", "it's", `back\slash`, "100%"}
	commands = []string{"a.exe /x", "b", "cmd.exe /c a.exe", "powershell -enc AAAA", ""}
	hashes   = []string{"aabbccddeeff00112233445566778899", "AABBCCDDEEFF00112233445566778899", "00000000000000000000000000000000"}
	texts    = []string{"x", "y", "abc", "\u00ff"}
	hexes    = []string{"78", "616263", "ff", ""}
	base64s  = []string{"eA==", "YWJj", "/w=="}
	ipv4s    = []string{"10.1.2.3", "10.1.9.9", "192.0.2.1", "10.1.2.0/24", "10.0.0.0/8"}
	networks = []string{"10.0.0.0/8", "10.1.2.0/24", "10.1.2.3/32", "192.0.2.0/25", "128.0.0.0/1"}
	regexps  = []string{"^a", "e$", `\.(exe|dll)$`, "[a-c]{2,3}", "^caf.$", `^\d*%$`, "x|y", "/[cx] ", "^$", "A+"}
	likes    = []string{"a%", "%exe", "%e_e", "caf_", "%", "_", "", "%a%e%", "%.%", "100%", "a.exe"}
)

func moment(second int) string {
	return fmt.Sprintf("2020-01-01T00:%02d:%02dZ", second/60, second%60)
}

// quoted writes a string literal.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// property is what a pattern can ask for.
type property struct {
	path string
	kind string
}

var properties = []property{
	{"file:name", "name"}, {"file:name", "name"}, {"file:size", "int"}, {"file:x_score", "float"}, {"file:x_signed", "bool"},
	{"file:hashes.MD5", "hash"}, {"file:hashes.'SHA-256'", "sha256"}, {"file:mtime", "time"},
	{"file:magic_number_hex", "hex"}, {"file:x_part_bin", "base64"},
	{"file:x_numbers[*]", "int"}, {"file:x_numbers[0]", "int"}, {"file:x_numbers[2]", "int"}, {"file:x_names[*]", "name"}, {"file:x_names[1]", "name"},
	{"file:x_nested[*].deep[*].name", "name"}, {"file:x_nested[0].deep[1].size", "int"}, {"file:'x_nested'[*].'label'", "text"},
	{"file:parent_directory_ref.path", "name"}, {"file:contains_refs[*].name", "name"}, {"file:contains_refs[0].size", "int"},
	{"file:contains_refs[*].hashes.MD5", "hash"}, {"file:contains_refs[*].parent_directory_ref.path", "name"},
	{"process:command_line", "command"}, {"process:pid", "int"}, {"process:image_ref.name", "name"},
	{"process:parent_ref.command_line", "command"}, {"process:parent_ref.image_ref.name", "name"},
	{"process:opened_connection_refs[*].dst_port", "int"}, {"process:opened_connection_refs[*].dst_ref.value", "ipv4"},
	{"ipv4-addr:value", "ipv4"}, {"network-traffic:dst_port", "int"}, {"network-traffic:src_ref.value", "ipv4"},
	{"ipv4-addr:x_route", "network"}, {"network-traffic:src_ref.x_route", "network"}, {"network-traffic:protocols[*]", "text"}, {"directory:path", "name"}, {"x-own:name", "name"}, {"file:missing", "text"}, {"indicator:name", "text"},
}

// literal writes a value of a kind; rarely of another, which never fits.
func (g *generator) literal(kind string) string {
	switch kind {
	case "name":
		return quoted(g.pick(names...))
	case "command":
		return quoted(g.pick(commands...))
	case "hash":
		return quoted(g.pick(hashes...))
	case "sha256":
		return quoted(strings.Repeat(g.pick("ab", "cd"), 32))
	case "text":
		return quoted(g.pick(texts...))
	case "ipv4":
		return quoted(g.pick(ipv4s...))
	case "network":
		return quoted(g.pick(networks...))
	case "int":
		return g.pick("0", "1", "2", "443", "-3", "+2", "2.0", "9007199254740993")
	case "float":
		return g.pick("0.5", "1", "1.0", "-0.25", ".5", "9007199254740992.0")
	case "bool":
		return g.pick("true", "false")
	case "time":
		return "t'" + moment(g.IntN(4)*20) + "'"
	case "hex":
		return g.pick("h'78'", "h'616263'", "h'FF'", "'x'", "'abc'", "'\u00ff'", "b'eA=='", "'\u0100'")
	}
	return g.pick("b'eA=='", "b'YWJj'", "'x'", "'abc'", "h'ff'", "'\u0100'")
}

func (g *generator) comparison() string {
	p := properties[g.IntN(len(properties))]
	not := ""
	if g.one(6) {
		not = " NOT"
	}
	if g.one(15) {
		path := p.path
		if g.one(3) {
			g.unmatched = true
			return "NOT EXISTS " + path
		}
		return "EXISTS " + path
	}
	isText := p.kind == "name" || p.kind == "command" || p.kind == "text"
	literal := g.literal(p.kind)
	if g.one(12) && p.kind != "time" && p.kind != "hash" && p.kind != "sha256" { // of another type
		literal = g.literal(g.pick("text", "int", "float", "bool", "hex"))
	}
	switch {
	case g.one(5):
		return p.path + not + " IN " + g.set(p.kind)
	case p.kind == "network": // stix2-matcher gives no verdict on addresses that are no networks
		return p.path + not + " ISSUPERSET " + quoted(g.pick(ipv4s...))
	case p.kind == "ipv4" && g.one(2):
		return p.path + not + " ISSUBSET " + quoted(g.pick(networks...))
	case isText && g.one(3):
		return p.path + not + " LIKE " + quoted(g.pick(likes...))
	case isText && g.one(3):
		return p.path + not + " MATCHES " + quoted(g.pick(regexps...))
	case literal != "true" && literal != "false" && g.one(3):
		return p.path + not + " " + g.pick("<", "<=", ">", ">=") + " " + literal
	}
	return p.path + not + g.pick(" = ", " == ", "=", " != ", " <> ") + literal
}

// set writes a set of one type; stix2-matcher knows no others.
func (g *generator) set(kind string) string {
	var values []string
	for range g.IntN(4) {
		v := g.literal(kind)
		switch {
		case (kind == "hex" || kind == "base64") && v[0] == '\'':
			continue
		case kind == "int" || kind == "float":
			if strings.Contains(v, ".") != (kind == "float") {
				continue
			}
		}
		values = append(values, v)
	}
	return "(" + strings.Join(values, g.pick(",", ", ")) + ")"
}

// comparisons joins some without always saying by brackets what binds closer.
func (g *generator) comparisons(depth int) string {
	out := ""
	for i := range 1 + g.IntN(3) {
		if i > 0 {
			out += g.pick(" AND ", " OR ")
		}
		if depth > 0 && g.one(4) {
			out += "(" + g.comparisons(depth-1) + ")"
		} else {
			out += g.comparison()
		}
	}
	return out
}

func (g *generator) qualifier() string {
	switch g.IntN(3) {
	case 0:
		return " WITHIN " + g.pick("1", "10", "20.5", "45", "+100") + " SECONDS"
	case 1:
		return " REPEATS " + g.pick("1", "2", "2", "3") + " TIMES"
	}
	from := g.IntN(60)
	return fmt.Sprintf(" START t'%s' STOP t'%s'", moment(from), moment(from+g.IntN(90)-5*g.IntN(2)))
}

func (g *generator) observations(depth int) string {
	out := ""
	for i := range 1 + g.IntN(3) {
		if i > 0 {
			out += g.pick(" AND ", " OR ", " FOLLOWEDBY ")
		}
		if depth > 0 && g.one(3) {
			out += "(" + g.observations(depth-1) + ")"
			if g.one(2) {
				out += g.qualifier()
			}
			continue
		}
		out += "[" + g.comparisons(1) + "]"
		if g.one(5) {
			out += g.qualifier()
		}
	}
	return out
}

// broken damages a pattern: takes out, doubles, exchanges or puts in a piece.
func (g *generator) broken(pattern string) string {
	runes := []rune(pattern)
	i := g.IntN(len(runes))
	j := min(len(runes), i+1+g.IntN(3))
	switch g.IntN(4) {
	case 0:
		return string(runes[:i]) + string(runes[j:])
	case 1:
		return string(runes[:j]) + string(runes[i:])
	case 2:
		k := g.IntN(len(runes))
		runes[i], runes[k] = runes[k], runes[i]
		return string(runes)
	}
	return string(runes[:i]) + g.pick("[", "]", "(", ")", "'", " AND ", " OR ", " NOT ", "00", "-", ".", ":", ",", " FOLLOWEDBY ", `\`, "h'", "/*", "//", "=", "*", " IN ", "\u00a0") + string(runes[i:])
}

type object map[string]any

// bundle makes observed data: a bundle of up to five of them.
func (g *generator) bundle() object {
	b := &bundleMaker{generator: g}
	all := []any{}
	for i := range min(g.IntN(10), 1+g.IntN(5)) {
		before := len(b.ids)
		b.scos()
		refs := append([]string(nil), b.ids[before:]...)
		if before > 0 && g.one(4) {
			refs = append(refs, b.ids[g.IntN(before)]) // seen before
		}
		from := g.IntN(60)
		all = append(all, object{"type": "observed-data", "id": fmt.Sprintf("observed-data--%d", i), "spec_version": "2.1",
			"first_observed": moment(from), "last_observed": moment(from + max(0, g.IntN(30)-15)), "number_observed": 1 + max(0, g.IntN(4)-2), "object_refs": refs})
	}
	return object{"type": "bundle", "id": "bundle--1", "objects": append(all, b.objects...)}
}

type bundleMaker struct {
	*generator
	ids     []string
	objects []any
	files   []string // of this observation
}

func (b *bundleMaker) add(typ string, o object) string {
	id := fmt.Sprintf("%s--%d", typ, len(b.ids))
	o["type"], o["id"] = typ, id
	b.ids = append(b.ids, id)
	b.objects = append(b.objects, o)
	return id
}

// maybe leaves properties out.
func (b *bundleMaker) maybe(o object, key string, value any) {
	if !b.one(4) {
		o[key] = value
	}
}

func (b *bundleMaker) number() any {
	return []any{0, 1, 2, 443, -3, 2.0, 0.5, 9007199254740993}[b.IntN(8)]
}

func (b *bundleMaker) scos() {
	b.files = nil
	directory := b.add("directory", object{"path": b.pick(names...)})
	for range 1 + b.IntN(2) {
		b.files = append(b.files, b.file(directory))
	}
	if b.one(2) {
		address := b.add("ipv4-addr", object{"value": b.pick(ipv4s...), "x_route": b.pick(networks...)})
		b.network(address)
	}
}

func (b *bundleMaker) file(directory string) string {
	f := object{}
	b.maybe(f, "name", b.pick(names...))
	b.maybe(f, "size", b.IntN(3))
	b.maybe(f, "x_score", b.number())
	b.maybe(f, "x_signed", b.one(2))
	b.maybe(f, "hashes", object{"MD5": b.pick(hashes...), "SHA-256": strings.Repeat(b.pick("ab", "cd"), 32)})
	b.maybe(f, "mtime", moment(b.IntN(4)*20))
	b.maybe(f, "magic_number_hex", b.pick(hexes...))
	b.maybe(f, "x_part_bin", b.pick(base64s...))
	b.maybe(f, "x_numbers", []any{b.number(), b.number(), b.number()}[:b.IntN(4)])
	b.maybe(f, "x_names", []any{b.pick(names...), b.pick(names...)}[:b.IntN(3)])
	b.maybe(f, "x_nested", []any{object{"deep": []any{object{"name": b.pick(names...)}, object{"size": b.IntN(3)}}, "label": b.pick(texts...)},
		object{"deep": []any{}}, "no object"}[:b.IntN(4)])
	b.maybe(f, "parent_directory_ref", directory)
	if len(b.files) > 0 {
		b.maybe(f, "contains_refs", b.files)
	}
	return b.add("file", f)
}

func (b *bundleMaker) network(address string) {
	traffic := object{"dst_port": b.pick2(443, 2), "protocols": []any{b.pick(texts...), b.pick(texts...)}}
	b.maybe(traffic, "src_ref", address)
	b.maybe(traffic, "dst_ref", address)
	connection := b.add("network-traffic", traffic)
	parent := object{"command_line": b.pick(commands...)}
	b.maybe(parent, "image_ref", b.files[0])
	p := object{"opened_connection_refs": []any{connection}}
	b.maybe(p, "command_line", b.pick(commands...))
	b.maybe(p, "pid", b.IntN(3))
	b.maybe(p, "image_ref", b.files[len(b.files)-1])
	b.maybe(p, "parent_ref", b.add("process", parent))
	b.add("process", p)
}

func (b *bundleMaker) pick2(a, c int) int {
	if b.one(2) {
		return a
	}
	return c
}
