package scan

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zip"
)

// samples copies the decoders' samples to a folder, each changed by edit.
func samples(t testing.TB, edit func(name, text string) string) string {
	t.Helper()
	content := map[string]string{}
	for name, path := range map[string]string{
		"eve.json": "eve/testdata/eve.json", "conn.log": "zeek/testdata/conn.log", "dns.log": "zeek/testdata/dns.log",
		"zeek.json": "zeek/testdata/json.log", "trail.json": "cloudtrail/testdata/trail.json", "ocsf.json": "ocsf/testdata/ocsf.json",
		"ecs.json": "ecs/testdata/ecs.json",
	} {
		data, err := os.ReadFile(filepath.Join("..", "decode", path))
		if err != nil {
			t.Fatal(err)
		}
		content[name] = edit(name, string(data))
	}
	return files(t, content)
}

// TestTelemetry: the rule base's own rules fire on events of every format that they are meant for, in each of the
// forms that it comes in, and not on near misses.
func TestTelemetry(t *testing.T) {
	rules := map[string]string{ // id -> path
		"c64c5175-5189-431b-a55e-6d9882158251": "rules/network/dns/net_dns_susp_telegram_api.yml",
		"8ae51330-899c-4641-8125-e39f2e07da72": "rules/network/dns/net_dns_susp_txt_exec_strings.yml",
		"9eb68894-7476-4cd6-8752-23b51f5883a7": "rules/web/proxy_generic/proxy_ua_bitsadmin_susp_tld.yml",
		"7100f7e3-92ce-4584-b7b7-01b40d3d4118": "rules/network/zeek/zeek_default_cobalt_strike_certificate.yml",
		"bf74135c-18e8-4a72-a926-0e4f47888c19": "rules/network/zeek/zeek_dns_mining_pools.yml",
		"4db60cc0-36fb-42b7-9b58-a5b53019fb74": "rules/cloud/aws/cloudtrail/aws_cloudtrail_disable_logging.yml",
		"8ad1600d-e9dc-4251-b0ee-a65268f29add": "rules/cloud/aws/cloudtrail/aws_root_account_usage.yml",
		"881834a4-6659-4773-821e-1c151789d873": "rules-emerging-threats/2017/TA/Equation-Group/net_firewall_apt_equationgroup_c2.yml",
		"3007fec6-e761-4319-91af-e32e20ac43f5": "rules-emerging-threats/2021/Exploits/CVE-2021-41773/web_cve_2021_41773_apache_path_traversal.yml",
		"d7fb8f0e-bd5f-45c2-b467-19571c490d7e": "rules/network/firewall/net_firewall_cleartext_protocols.yml",
		"19bf6fdb-7721-4f3d-867f-53467f6a5db6": "rules/linux/network_connection/net_connection_lnx_ngrok_tunnel.yml",
	}
	var paths []string
	for _, path := range rules {
		paths = append(paths, corpus(t, "sigma", filepath.FromSlash(path)))
	}
	want := []string{
		"conn.log:10 881834a4", "dns.log:9 bf74135c",
		"ecs.json:11 881834a4", "ecs.json:3 c64c5175", "ecs.json:4 3007fec6", "ecs.json:5 9eb68894", "ecs.json:7 881834a4", "ecs.json:8 4db60cc0",
		"eve.json:1 c64c5175", "eve.json:2 8ae51330", "eve.json:4 9eb68894", "eve.json:6 881834a4",
		"ocsf.json:2 19bf6fdb", "ocsf.json:3 c64c5175", "ocsf.json:4 9eb68894", "ocsf.json:7 4db60cc0", "ocsf.json:8 881834a4", "ocsf.json:8 d7fb8f0e",
		"trail.json:1 4db60cc0", "trail.json:2 8ad1600d",
		"zeek.json:2 bf74135c", "zeek.json:5 7100f7e3",
	}
	dir := samples(t, func(_, text string) string { return text })
	got := run(t, Options{Rules: paths, Paths: []string{dir}})
	if got.err != nil || got.Errors != 0 || got.Skipped != 0 || got.RulesLoaded != len(rules) {
		t.Fatalf("%+v %v %v %v", got.Stats, got.err, got.problems, got.rejected)
	}
	seen := map[string]bool{}
	for _, d := range got.detections {
		seen[filepath.Base(d.Source)+":"+d.Record+" "+d.RuleID[:8]] = true
		if d.Time.IsZero() {
			t.Errorf("%s:%s has no time", d.Source, d.Record)
		}
	}
	if have := slices.Sorted(maps.Keys(seen)); !slices.Equal(have, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}

	packed := filepath.Join(t.TempDir(), "all.zip")
	if err := pack(packed, dir); err != nil {
		t.Fatal(err)
	}
	if zipped := run(t, Options{Rules: paths, Paths: []string{packed}}); zipped.err != nil || zipped.Events != got.Events || zipped.Detections != got.Detections {
		t.Errorf("in an archive: %+v %v, want %+v", zipped.Stats, zipped.err, got.Stats)
	}

	miss := strings.NewReplacer("api.telegram.org", "api.telegram.example", "IEX ", "INDEX ", "Microsoft BITS/7.8", "Mozilla/5.0",
		"8BB00EE", "8BB00EF", "pool.minexmr.com", "pool.minexmr.example", "StopLogging", "StartLogging", `"type":"Root"`, `"type":"User"`,
		"69.42.98.86", "69.42.98.87", "89.185.234.145", "89.185.234.146", `"action_id":1`, `"action_id":2`, ".%2e", "x", ".ngrok.com", ".ngrok.example")
	dir = samples(t, func(_, text string) string { return miss.Replace(text) })
	if got := run(t, Options{Rules: paths, Paths: []string{dir}}); got.err != nil || len(got.detections) > 0 {
		t.Errorf("near misses: %v %v", got.err, got.detections)
	}
}

// pack makes a zip archive of a folder.
func pack(path, dir string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	z := zip.NewWriter(f)
	return errors.Join(z.AddFS(os.DirFS(dir)), z.Close(), f.Close())
}

// TestAcrossFormats: one rule in the taxonomy's names meets the same act, whoever saw it.
func TestAcrossFormats(t *testing.T) {
	const rule = `title: One Host
id: 0f3c8f0e-3c56-4f0e-9d8e-2f1f0a5a9f11
level: low
logsource: {category: dns}
detection:
    a: {SourceIp|cidr: [10.0.0.0/8, 192.168.0.0/16], query|contains: '.'}
    condition: a
`
	dir := samples(t, func(_, text string) string { return text })
	got := run(t, Options{Rules: []string{filepath.Join(files(t, map[string]string{"a.yml": rule}), "a.yml")}, Paths: []string{dir}})
	by := map[string]int{}
	for _, d := range got.detections {
		by[filepath.Base(d.Source)]++
	}
	if want := map[string]int{"dns.log": 1, "ecs.json": 2, "eve.json": 2, "ocsf.json": 1, "zeek.json": 1}; !maps.Equal(by, want) {
		t.Errorf("got %v, want %v", by, want)
	}
}
