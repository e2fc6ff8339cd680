package pysigma

import "testing"

// examples are rules for each known disagreement, so that none of them depends on chance.
var examples = []string{
	item1(`'F|utf16le': abc`), item1(`'F|utf16le|base64': abc`), item1(`'F|contains': 5`), item1(`'F|cased': true`), item1(`'F|fieldref|cased': G`),
	item1(`'F|wide': 'é'`), item1(`'F|utf16be': '日本'`), item1(`'F|utf16': 'é'`), rule("notepad", "notepad: {F: v}"), rule("1 of x-*", "x-y: {F: v}"),
	item1(`'F|expand': '%a\%one'`), item1(`'F|expand': '%a\\%one%'`), item1(`'F|expand': 'a\\%none%'`), item1(`'F|expand': 'a\\%one%'`),
	item1(`'F|re': '(?i)a(?i)b'`), item1(`'F|re': '\z'`), item1(`'F|re': '\pL'`), item1(`'F|re': '(?<n>a)'`),
	item1(`'F|re': '(?=x)'`), item1(`'F|re': '(?<!a)b'`), item1(`'F|re': '(a)\1'`), item1(`'F|re': 'a{1001}'`), item1(`'F|re': 'a++'`),
	item1(`5: v`), item1(`F: 1e400`), item1("F: v") + "tags: [attack]\n", item1("F: v") + "author: 5\n", item1("F: v") + "status: new\n", item1("F: v") + "id: x\n",
	item1(`F: []`), rule("sel", "sel: {F: v}", "other: []"), item1(`'': null`), item1(`'|gt': 5`), item1(`'|hour': 5`), item1(`'|fieldref': G`),
	item1(`'F|all': a`), item1(`'F|contains|all': [a]`), item1(`'F|base64offset': a`), item1(`'F|base64offset|contains': 'é'`), item1(`'F|base64offset|contains': 'aé'`),
	item1(`'F|hour': 24`), item1(`'F|minute': -1`), item1(`'F|day': 0`), item1(`'F|month|lt': 13`), item1(`'F|week': 54`), item1(`'F|hour': 5.5`), item1(`'F|hour|minute': 5`),
	item1(`'F|fieldref': ''`), item1(`'F|re|ignorecase': a`), item1(`'F|re|multiline': a`), item1(`'F|re|dotall': a`),
	rule("1 of none*", "sel: {F: v}"), rule("sel and not 1 of none*", "sel: {F: v}"), rule("notsel", "sel: {F: v}"), rule("sel orsel", "sel: {F: v}"), rule("sel andnot sel", "sel: {F: v}"),
	item1(`'F|cidr': 10.0.0.0/255.0.0.0`), item1(`'F|cidr': 'fe80::1%eth0'`), item1(`'F|exists|neq': true`), item1(`'F|exists': [true]`),
	item1(`'F|base64|expand': '%one%'`), item1(`'F|expand|base64': '%one%'`), item1(`'F|expand|base64': '%two%'`), item1(`'F|expand|wide': '%one%'`), item1(`'F|windash|expand': '%one%'`), item1(`'F|expand|windash': '%one%'`), item1(`'F|expand|expand': '\%one%'`),
	item1("F: v") + "level: HIGH\n", "title: t\nlogsource: {category: ''}\ndetection: {sel: {F: v}, condition: sel}\n", "title: ''\nlogsource: {category: c}\ndetection: {sel: {F: v}, condition: sel}\n",
	rule("sel", "sel: {F: v}", "timeframe: 5m"), item1(`F: 007`), item1(`F: 1.50`), item1(`F: 0x1F`), item1(`F: 0o17`), item1(`F: [+5, -0]`),
	item1(`'F|utf16': abc`), item1(`'F|utf16|base64': abc`), item1(`'F|utf16|fieldref': abc`), item1(`'F|cased|windash': ' -a'`), item1(`'F|cased|base64': abc`), item1(`'F|cased|wide': abc`), item1(`'F|expand|cased': '%one%'`), item1(`'F|cased|fieldref': G`),
	item1(`'F|fieldref': 'a\*b'`), item1(`'F|re|expand': '^%wild%$'`), item1(`'F|all|expand': ['%one%', '%two%']`), item1(`'F|base64': 'a\*b'`), item1(`'F|base64offset': 'a\?bc'`),
}

// item1 is a rule with one item.
func item1(item string) string { return rule("sel", "sel:\n    "+item) }

// distinct are rules of which no two mean the same; neither text is accepted for another.
var distinct = []string{
	item1(`F: a`), item1(`G: a`), item1(`'': a`), item1(`F: A`), item1(`F: b`), item1(`F: ''`), item1(`F: null`), item1(`F: [a, b]`), item1(`'F|all': [a, b]`), item1(`'F|neq': a`), item1(`'F|neq': [a, b]`), item1(`'F|all|neq': [a, b]`),
	item1(`F: 'a*'`), item1(`F: '*a'`), item1(`F: '*a*'`), item1(`F: 'a?'`), item1(`F: 'a??'`), item1(`F: 'a\*'`), item1(`F: 'a\?'`), item1(`F: 'a\\*'`), item1(`F: 'a\b'`), item1(`F: '*'`), item1(`F: '?'`), item1(`F: '\*'`),
	item1(`'F|cased': a`), item1(`'F|contains|cased': a`), item1(`'F|re': a`), item1(`'F|re|i': a`), item1(`'F|re|m': a`), item1(`'F|re|s': a`), item1(`'F|re|i|m': a`), item1(`'F|re|contains': a`), item1(`'F|re|startswith': a`), item1(`'F|re|endswith': a`),
	item1(`'F|wide': a`), item1(`'F|utf16be': a`), item1(`'F|base64': a`), item1(`'F|base64offset': abc`), item1(`'F|base64': abc`), item1(`'F|windash': ' -a'`), item1(`F: ' -a'`), item1(`F: ' /a'`),
	item1(`'F|cidr': 10.0.0.0/8`), item1(`'F|cidr': 10.0.0.0/9`), item1(`'F|cidr': '::/8'`), item1(`F: 10.0.0.0/8`), item1(`'F|exists': true`), item1(`'F|exists': false`),
	item1(`F: 5`), item1(`'F|lt': 5`), item1(`'F|lte': 5`), item1(`'F|gt': 5`), item1(`'F|gte': 5`), item1(`'F|gte': 5.5`), item1(`'F|hour': 5`), item1(`'F|minute': 5`), item1(`'F|day': 5`), item1(`'F|week': 5`), item1(`'F|month': 5`), item1(`'F|year': 5`),
	item1(`'F|hour|lt': 5`), item1(`'F|hour|lte': 5`), item1(`'F|hour|gt': 5`), item1(`'F|hour|gte': 5`), item1(`'F|minute|lt': 5`), item1(`'F|hour|gte|neq': 5`), item1(`'F|hour|neq': 5`),
	item1(`'F|fieldref': G`), item1(`'F|fieldref|contains': G`), item1(`'F|fieldref|startswith': G`), item1(`'F|fieldref|endswith': G`), item1(`'F|fieldref|neq': G`), item1(`F: G`),
	item1(`'F|expand': '%one%'`), item1(`F: '%one%'`), item1(`'F|expand': '%two%'`), item1(`'F|expand': 'a%two%'`),
	item1(`'|all': [a, b]`), item1(`'|startswith': a`), item1(`'|endswith': a`), item1(`'|re': a`), item1("F: a\n    G: b"), rule("sel", "sel: [{F: a}, {G: b}]"), rule("sel", "sel: [a, {G: b}]"),
	rule("not a", "a: {F: x}"), rule("not not a", "a: {F: x}"), rule("a and b and c", three...), rule("a or b or c", three...), rule("a and b or c", three...), rule("a and (b or c)", three...), rule("not a and b or c", three...), rule("not (a and b) or c", three...),
	rule("not (a and b or c)", three...), rule("a or b and not c", three...), rule("not a or not b", three...), rule("1 of a* and b", three...), rule("not 1 of them", three...), rule("not all of them", three...),
	rule("1 of them", "a: {F: a}", "_b: {F: q}", "c: {H: w}"), rule("1 of _*", "a: {F: x}", "_b: {F: q}", "_c: {H: w}"), rule("all of _*", "a: {F: x}", "_b: {F: q}", "_c: {H: w}"),
}

var three = []string{"a: {F: d}", "b: {G: e}", "c: {H: f}"}

// TestDistinct: the comparison tells apart what is not the same.
func TestDistinct(t *testing.T) {
	t.Parallel()
	o := start(t)
	ours, theirs := map[string]string{}, map[string]string{}
	for _, text := range distinct {
		r := o.read(t, text, placeholders)
		if r.ours == nil || !r.theirs.Accepted {
			t.Errorf("%s\nrefused: %v, %s", text, r.reason, r.theirs.Error)
			continue
		}
		ourTree, theirTree := treeOf(r.ours).canonical(), r.theirs.Tree.canonical()
		if ourTree != theirTree {
			t.Errorf("%s\nours   %s\ntheirs %s", text, ourTree, theirTree)
		}
		for _, other := range []string{ours[theirTree], theirs[ourTree], ours[ourTree], theirs[theirTree]} {
			if other != "" {
				t.Errorf("%s\nis not told from\n%s", text, other)
			}
		}
		ours[ourTree], theirs[theirTree] = text, text
	}
	if want := 100; len(ours) < want {
		t.Errorf("%d rules, want at least %d", len(ours), want)
	}
	t.Logf("%d rules", len(ours))
}

// nobodys are rules that neither reads.
var nobodys = []string{
	item1(`'F|hour|gte|lt': 5`), item1(`'F|gte|lt': 5`), item1(`'F|gte|hour': 5`), item1(`'F|hour': '5'`), item1(`'F|minute|lt': '30'`), item1(`'F|hour|contains': 5`), item1(`'F|lt': null`), item1(`'F|gt': .nan`),
	item1(`'F|contains|re': a`), item1(`'F|all|re': [a, b]`), item1(`'F|re|cased': a`), item1(`'F|re|windash': a`), item1(`'F|i': a`), item1(`'F|re': '('`), item1(`'F|re|endswith': ')('`), item1(`'F|re': null`),
	item1(`'F|cidr': 10.0.0.1/8`), item1(`'F|cidr': 10.0.0.0/33`), item1(`'F|contains|cidr': 10.0.0.0/8`), item1(`'F|cidr|contains': 10.0.0.0/8`), item1(`'F|cidr': 10`), item1(`'F|cidr': '10.*'`),
	item1(`'F|fieldref': 'G*'`), item1(`'F|contains|fieldref': G`), item1(`'F|fieldref': 5`), item1(`'F|exists': 1`), item1(`'F|exists': 'true'`), item1(`'F|contains|exists': true`), item1(`'|exists': true`),
	item1(`'F|base64': 'a*'`), item1(`'F|contains|base64': a`), item1(`'F|base64': 5`), item1(`'F|wide': 5`), item1(`'F|windash': 5`), item1(`'F|contains': null`), item1(`'F|cased': null`), item1(`'F|expand': 5`),
	item1(`'F|expand': '%unknown%'`), item1(`'F|re|expand': '%unknown%'`), item1(`'F|near': a`), item1(`'F|Contains': a`), item1(`'F|': a`), item1(`'F||contains': a`), item1(`F: {a: b}`), item1(`F: [[a]]`), item1(`F: [{a: b}]`), item1("F: a\n    F: b"),
	rule("sel and", three...), rule("a b", three...), rule("(a", three...), rule("a)", three...), rule("d", three...), rule("a AND b", three...), rule("2 of a*", three...), rule("1 of", three...), rule("of them", three...), rule("not", three...), rule("''", three...),
	rule("a | count() > 5", three...), rule("[]", three...), "title: t\nlogsource: {category: c}\ndetection: {sel: {F: v}}\n", "title: t\nlogsource: {category: c}\n", "title: t\ndetection: {sel: {F: v}, condition: sel}\n", "[]\n", "title: [\n",
}

// TestRefused: neither reads what nobody can read.
func TestRefused(t *testing.T) {
	t.Parallel()
	o := start(t)
	for _, text := range nobodys {
		if r := o.read(t, text, placeholders); r.ours != nil || r.theirs.Accepted {
			t.Errorf("%s\nwe accept it: %t, pySigma accepts it: %t", text, r.ours != nil, r.theirs.Accepted)
		}
	}
}
