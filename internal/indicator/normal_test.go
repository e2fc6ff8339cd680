package indicator

import (
	"strings"
	"testing"
)

var simpleURLSeeds = []string{
	"http://Evil.Example/x?y=1", "evil.example", "HTTPS://a.b", "http://a:80/", "ftp://u@h/", "http://h//x", "http://h/%41", "a/?b=http://c/d",
	"http://h/x?", "http://h./x", "h/é", "http://1.2.3.4/x", "://h/", "h?x", "http://h/x#f", "//h/x", "http:///x",
}

// FuzzSimpleURL: what the short way makes of a URL is what the long way makes of it.
func FuzzSimpleURL(f *testing.F) {
	if len(simpleURLSeeds) < 17 {
		f.Fatal("seeds are missing")
	}
	for _, s := range simpleURLSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := AppendSimpleURL([]byte("kept"), text)
		if !ok {
			if string(got) != "kept" {
				t.Fatalf("%q: left %q", text, got)
			}
			return
		}
		want, err := NormalURL(text)
		if err != nil || string(got) != "kept"+want {
			t.Fatalf("%q: %q, want %q (%v)", text, got, want, err)
		}
	})
}

func TestRegistryKey(t *testing.T) {
	const want = `hklm\software\évil\run`
	for _, key := range []string{`HKLM\Software\Évil\Run`, `HKEY_LOCAL_MACHINE\SOFTWARE\Évil\Run\`, `\REGISTRY\MACHINE\Software\Évil\Run`} {
		ind, err := New(RegistryKey, key)
		if err != nil || ind.Value != want || ind.Check() != nil {
			t.Errorf("%s: %q, %v, %v", key, ind.Value, err, ind.Check())
		}
	}
	if ind, _ := New(RegistryKey, "HKEY_LOCAL_MACHINES"); ind.Value != "hkey_local_machines" {
		t.Errorf("%q", ind.Value)
	}
	if _, err := New(RegistryKey, `\\`); err == nil {
		t.Error("a key of nothing")
	}
	if got := string(AppendRegistryKey([]byte("a"), strings.ToUpper(`hku\S-1`))); got != `ahku\s-1` {
		t.Errorf("%q", got)
	}
}
