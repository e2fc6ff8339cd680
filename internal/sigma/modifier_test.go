package sigma_test

import (
	"fmt"
	"strings"
	"testing"

	"shieldwall/internal/sigma"
)

// show writes a value in a short form for tables.
func show(v sigma.Value) string {
	switch v := v.(type) {
	case sigma.String:
		var b strings.Builder
		for _, part := range v.Pattern {
			switch part.Kind {
			case sigma.AnyRun:
				b.WriteString("<*>")
			case sigma.AnyChar:
				b.WriteString("<?>")
			case sigma.Dash:
				b.WriteString("<->")
			default:
				b.WriteString(part.Text)
			}
		}
		if v.Cased {
			return fmt.Sprintf("cased %q", b.String())
		}
		return fmt.Sprintf("%q", b.String())
	case sigma.Null:
		return "null"
	case sigma.Regexp:
		return "re " + v.Source
	case sigma.CIDR:
		return "cidr " + v.Prefix.String()
	case sigma.FieldRef:
		return fmt.Sprintf("field %s cased=%t head=%t tail=%t", v.Field, v.Cased, v.OpenHead, v.OpenTail)
	case sigma.Exists:
		return fmt.Sprintf("exists %t", v.Present)
	case sigma.Compare:
		return fmt.Sprintf("compare %d %v", v.Op, v.Number.Float)
	case sigma.TimePart:
		return fmt.Sprintf("time %d %d %d", v.Unit, v.Op, v.Number)
	case sigma.AnyOf:
		var all []string
		for _, one := range v.Values {
			all = append(all, show(one))
		}
		return "any(" + strings.Join(all, ", ") + ")"
	}
	return fmt.Sprintf("%T", v)
}

// item parses one "key: value" line of a selection.
func item(line string, opt sigma.Options) (sigma.Item, error) {
	got, err := sigma.Parse([]byte(rule("s:\n  "+line+"\ncondition: s")), opt)
	switch {
	case err != nil:
		return sigma.Item{}, err
	case len(got.Rejected) > 0:
		return sigma.Item{}, got.Rejected[0].Err
	}
	return got.Rules[0].Detection.Selections[0].Alternatives[0][0], nil
}

func TestModifiers(t *testing.T) {
	tests := []struct {
		line string
		want string
	}{
		{`F: a`, `"a"`},
		{`F: 'a*?\*'`, `"a<*><?>*"`},
		{`F: 1`, `"1"`},
		{`F: -1.50`, `"-1.50"`},
		{`F: 00000429`, `"00000429"`}, // registry_set_susp_keyboard_layout_load.yml
		{`F: 0x10`, `"0x10"`},
		{`F: True`, `"true"`},
		{`F: 'True'`, `"True"`},
		{`F: 2024-01-02`, `"2024-01-02"`},
		{`F: null`, `null`},
		{`F:`, `null`},
		{`F: ~`, `null`},
		{`F: ''`, `""`},
		{`F: [a, '', null, 3]`, `"a" "" null "3"`},
		{`F|contains: a`, `"<*>a<*>"`},
		{`F|contains: '*a'`, `"<*>a<*>"`},
		{`F|contains: '*a*'`, `"<*>a<*>"`},
		{`F|contains: '\*a'`, `"<*>*a<*>"`},
		{`F|contains: ''`, `"<*>"`},
		{`F|contains: 12`, `"<*>12<*>"`},
		{`F|startswith: a`, `"a<*>"`},
		{`F|startswith: 'a*'`, `"a<*>"`},
		{`F|endswith: '\cmd.exe'`, `"<*>\\cmd.exe"`},
		{`F|endswith: '*\cmd.exe'`, `"<*>\\cmd.exe"`},
		{`F|startswith|endswith: a`, `"<*>a<*>"`},
		{`F|cased: A`, `cased "A"`},
		{`F|contains|cased: A`, `cased "<*>A<*>"`},
		{`F|cased|startswith: A`, `cased "A<*>"`},
		{`F|all: [a, b]`, `all "a" "b"`},
		{`F|contains|all: [a, b]`, `all "<*>a<*>" "<*>b<*>"`},
		{`F|all|contains: [a, b]`, `all "<*>a<*>" "<*>b<*>"`},
		{`F|neq: a`, `not "a"`},
		{`F|neq: [a, 1]`, `not "a" "1"`},
		{`F|contains|all|neq: [a, b]`, `not all "<*>a<*>" "<*>b<*>"`},
		{`F|exists: true`, `exists true`},
		{`F|exists: no-but-quoted`, `!value`},
		{`F|exists: False`, `exists false`},
		{`F|re: '\d+*?'`, `!regexp`},
		{`F|re: 'a\d{2,5}?[^\\]+$'`, `re a\d{2,5}?[^\\]+$`},
		{`F|re: '*'`, `!regexp`},
		{`F|re: '(?=a)'`, `!regexp`},
		{`F|re: '(a)\1'`, `!regexp`},
		{`F|re: ')('`, `!regexp`},
		{`F|re|endswith: ')('`, `!regexp`},
		{`F|re|i: a`, `re (?i)a`},
		{`F|re|i|m|s: a`, `re (?ims)a`},
		{`F|re|i|i: a`, `re (?i)a`},
		{`F|re|contains: a|b`, `re (?:a|b)`},
		{`F|re|startswith: a|b`, `re \A(?:a|b)`},
		{`F|re|endswith: a|b`, `re (?:a|b)\z`},
		{`F|re|startswith|i: a`, `re (?i)\A(?:a)`},
		{`F|re|all: [a, b]`, `all re a re b`},
		{`F|re|neq: a`, `not re a`},
		{`F|cidr: 10.0.0.0/8`, `cidr 10.0.0.0/8`},
		{`F|cidr: 192.0.2.7`, `cidr 192.0.2.7/32`},
		{`F|cidr: ['fe80::/10', '::1/128']`, `cidr fe80::/10 cidr ::1/128`},
		{`F|cidr: 10.0.0.1/8`, `!value`},
		{`F|cidr: '10.*'`, `!value`},
		{`F|cidr: 'fe80::1%eth0'`, `!value`},
		{`F|cidr: 10`, `!value`},
		{`F|cidr|neq: 10.0.0.0/8`, `not cidr 10.0.0.0/8`},
		{`F|base64: 'http://'`, `"aHR0cDovLw=="`},
		{`F|base64: 'a\*'`, `"YSo="`},
		{`F|base64|contains: foobar`, `"<*>Zm9vYmFy<*>"`},
		{`F|base64: 'a*'`, `!value`},
		{`F|contains|base64: a`, `!value`},
		{`F|base64: 1`, `!modifier`},
		// The three offsets by hand: base64 of "foobar", " foobar", "  foobar" without the characters
		// that the neighbours decide.
		{`F|base64offset: foobar`, `any("Zm9vYmFy", "Zvb2Jhc", "mb29iYX")`},
		{`F|base64offset|contains: 'http://'`, `any("<*>aHR0cDovL<*>", "<*>h0dHA6Ly<*>", "<*>odHRwOi8v<*>")`},
		{`F|base64offset: é`, `any("w6", "Op", "Dq")`}, // by encoded bytes, not characters
		{`F|base64offset: a`, `!value`},
		{`F|wide: ab`, `"a\x00b\x00"`},
		{`F|utf16le: ab`, `"a\x00b\x00"`},
		{`F|utf16be: ab`, `"\x00a\x00b"`},
		{`F|utf16: ab`, `"\xff\xfea\x00b\x00"`},
		{`F|wide: 'a*'`, `"a\x00<*>"`},
		{`F|wide|base64: IEX`, `"SQBFAFgA"`},
		{`F|wide|base64offset|contains: IEX`, `any("<*>SQBFAFgA<*>", "<*>kARQBYA<*>", "<*>JAEUAWA<*>")`},
		{`F|windash: ' -f-x'`, `" <->f-x"`},
		{`F|contains|windash: ' /c '`, `"<*> <->c <*>"`},
		{`F|windash|contains: ' /c '`, `"<*> <->c <*>"`},
		{`F|windash|base64: -a`, `any("LWE=", "L2E=", "4oCTYQ==", "4oCUYQ==", "4oCVYQ==")`},
		{`F|windash: 1`, `!modifier`},
		{`F|re|windash: -a`, `!modifier`},
		{`F|lt: 5`, `compare 1 5`},
		{`F|lte: 5`, `compare 2 5`},
		{`F|gt: -5.5`, `compare 3 -5.5`},
		{`F|gte: 0x10`, `compare 4 16`},
		{`F|gt: '5'`, `!value`},
		{`F|gt: 5.0`, `compare 3 5`},
		{`F|gt: 1e3`, `compare 3 1000`},
		{`F|gt: -0`, `compare 3 0`},
		// YAML 1.2, not 1.1 (specification, "Yaml File").
		{`F|gt: 010`, `compare 3 10`},
		{`F|gt: 08`, `compare 3 8`},
		{`F|gt: 0o10`, `compare 3 8`},
		{`F|gt: 0b10`, `!value`},
		{`F|gt: 0X10`, `!value`},
		{`F|gt: 1_000`, `!value`},
		{`F|gt: 12:30`, `!value`},
		{`F|gt: !!int '010'`, `compare 3 10`},
		{`F|gt: !!int '1_000'`, `!yaml`},
		{`F|gt: 9223372036854775808`, `compare 3 9.223372036854776e+18`},
		{`F|gt: 0xffffffffffffffff`, `compare 3 1.8446744073709552e+19`},
		{`F: [007, 1_000, 0b1, 1.50, 0x1F]`, `"007" "1_000" "0b1" "1.50" "0x1F"`},
		{`F|gt: .nan`, `!value`},
		{`F|gt: .inf`, `!value`},
		{`F|minute: 0`, `time 0 0 0`},
		{`F|hour|gte: 22`, `time 1 4 22`},
		{`F|day: 31`, `time 2 0 31`},
		{`F|week: 53`, `time 3 0 53`},
		{`F|month: 12`, `time 4 0 12`},
		{`F|year|lt: 2020`, `time 5 1 2020`},
		{`F|minute: 60`, `!value`},
		{`F|minute|lt: 30`, `time 0 1 30`},
		{`F|hour|lte|neq: 5`, `not time 1 2 5`},
		{`F|hour: 5.0`, `time 1 0 5`},
		{`F|hour: 010`, `time 1 0 10`},
		{`F|hour|minute: 5`, `!value`},
		{`F|hour|gte|lt: 5`, `!value`},
		{`F|hour: '5'`, `!value`},
		{`F|day: 0`, `!value`},
		{`F|month: 1.5`, `!value`},
		{`F|gte|hour: 22`, `!value`},
		{`F|fieldref: G`, `field G cased=false head=false tail=false`},
		{`F|fieldref|neq: G`, `not field G cased=false head=false tail=false`},
		{`F|fieldref|contains: G`, `field G cased=false head=true tail=true`},
		{`F|fieldref|startswith: G`, `field G cased=false head=false tail=true`},
		{`F|fieldref|endswith: G`, `field G cased=false head=true tail=false`},
		{`F|cased|fieldref: G`, `field G cased=true head=false tail=false`},
		{`F|fieldref: 'G*'`, `!value`},
		{`F|contains|fieldref: G`, `!value`},
		{`F|fieldref: ''`, `!value`},
		{`F|fieldref: 1`, `!value`},
		{`F|expand: plain`, `"plain"`},
		{`F|expand: '%Servers%'`, `any("srv<*>", "db1")`},
		{`F|contains|expand: 'x%one%y'`, `"<*>x1y<*>"`},
		{`F|expand|contains: 'x%one%y'`, `"<*>x1y<*>"`},
		{`F|expand: '%one%-%Servers%'`, `any("1-srv<*>", "1-db1")`},
		{`F|expand: '\%one%'`, `"%one%"`},
		{`F|expand|base64: '%one%'`, `"MQ=="`},
		{`F|base64|expand: '%one%'`, `!value`},
		{`F|wide|expand: '%one%'`, `!value`},
		{`F|expand: '%unknown%'`, `!placeholder`},
		{`F|expand: '%empty%'`, `!placeholder`},
		{`F|expand: '5% to 7%'`, `!placeholder`},
		{`F|expand: '5\% to 7%'`, `"5% to 7%"`},
		{`F|expand: '5%%'`, `"5%%"`},
		{`F|expand: '%two words%'`, `"2"`},
		{`F|re|expand: '^%Servers%\d$'`, `any(re ^srv(?s:.*)\d$, re ^db1\d$)`},
		{`F|re|expand: 'a\%one%'`, `any(re a\%one%)`},
		{`F: '%Servers%'`, `"%Servers%"`},
		{`F|bogus: a`, `!modifier`},
		{`F|Contains: a`, `!modifier`},
		{`F|: a`, `!modifier`},
		{`F|all: a`, `!modifier`},
		{`F|all: [a]`, `!modifier`},
		{`F|exists: 1`, `!value`},
		{`F|exists: [true]`, `!value`},
		{`F|exists|neq: true`, `!modifier`},
		{`F|contains|re: a`, `!modifier`},
		{`F|all|re: [a, b]`, `!modifier`},
		{`F|contains|cidr: 10.0.0.0/8`, `!modifier`},
		{`F|cidr|contains: 10.0.0.0/8`, `!modifier`},
		{`F|i: a`, `!modifier`},
		{`F|re|cased: a`, `!modifier`},
		{`F|re: 1`, `!value`},
		{`F|contains: null`, `!modifier`},
		{`F|re|lt: 5`, `!value`},
		{`F: []`, `!structure`},
		{`F: {a: b}`, `!structure`},
		{`F: [[a]]`, `!structure`},
		{`F: [{a: b}]`, `!structure`},
		{`F: !!binary aGk=`, `!yaml`},
		{`F: !own x`, `!yaml`},
		// Keywords stand anywhere in a value unless a modifier says where.
		{`'|all': [a, b]`, `all "<*>a<*>" "<*>b<*>"`},
		{`'|contains': a`, `"<*>a<*>"`},
		{`'|startswith': a`, `"a<*>"`},
		{`'|re': ^a`, `re ^a`},
		{`'|cidr': 10.0.0.0/8`, `cidr 10.0.0.0/8`},
		{`'': a`, `"<*>a<*>"`},
		{`'|cased': A*b`, `cased "<*>A<*>b<*>"`},
		{`'|exists': true`, `!modifier`},
		{`'|fieldref': G`, `!structure`},
		{`'|gt': 5`, `!structure`},
		{`'|hour': 5`, `!structure`},
		{`'|all': [a, null]`, `!structure`},
	}
	opt := sigma.Options{Placeholders: map[string][]string{"Servers": {"srv*", "db1"}, "one": {"1"}, "two words": {"2"}, "empty": {}}}
	for _, tt := range tests {
		got, err := item(tt.line, opt)
		if err != nil {
			if want := "!" + string(err.(*sigma.Error).Reason); want != tt.want {
				t.Errorf("%s: %s: %v, want %s", tt.line, want, err, tt.want)
			}
			continue
		}
		var parts []string
		if got.Negated {
			parts = append(parts, "not")
		}
		if got.All {
			parts = append(parts, "all")
		}
		for _, v := range got.Values {
			parts = append(parts, show(v))
		}
		if s := strings.Join(parts, " "); s != tt.want {
			t.Errorf("%s: got %s, want %s", tt.line, s, tt.want)
		}
	}
}
