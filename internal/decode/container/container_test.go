package container

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
)

// entry is a member to be, in order.
type entry struct{ name, text string }

func zipOf(t testing.TB, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		f, err := w.Create(e.name)
		if err == nil && !strings.HasSuffix(e.name, "/") {
			_, err = io.WriteString(f, e.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tarOf(t testing.TB, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Size: int64(len(e.text)), Mode: 0o600, Typeflag: tar.TypeReg}
		if strings.HasPrefix(e.text, "-> ") {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.text[3:], 0
			e.text = ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gzipOf(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstdOf(t testing.TB, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

// seen is what a walk showed: source, kind, text or error.
type seen struct {
	source string
	kind   Kind
	text   string
	err    error
}

// collect makes a visit that reads everything.
func collect(out *[]seen) Visit {
	return func(i *Item) error {
		s := seen{source: i.Source, kind: i.Kind, err: i.Err}
		if i.Err == nil {
			b, err := io.ReadAll(i.Reader())
			s.text, s.err = string(b), err
		}
		*out = append(*out, s)
		return nil
	}
}

func check(t *testing.T, got, want []seen) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
	for i, w := range want {
		g := got[i]
		if g.source != w.source || g.kind != w.kind || g.text != w.text || !errors.Is(g.err, w.err) || (g.err == nil) != (w.err == nil) {
			t.Errorf("%d: got %v, want %v", i, g, w)
		}
	}
}

const (
	object = `{"a":1}`
	log    = "ElfFile\x00 and so on"
)

var errAny = errors.New("any error")

func TestStream(t *testing.T) {
	plain := []entry{{"a.json", object}, {"dir/", ""}, {"dir/b.evtx", log}, {"c.yml", "title: c\n"}}
	ad := "\x00\x05\x16\x07 fork"
	tests := []struct {
		name, in string
		want     []seen
	}{
		{"empty", "", []seen{{"f", Unknown, "", nil}}},
		{"plain", object, []seen{{"f", JSON, object, nil}}},
		{"zip", zipOf(t, plain...), []seen{{"f!a.json", JSON, object, nil}, {"f!dir/b.evtx", EVTX, log, nil}, {"f!c.yml", Unknown, "title: c\n", nil}}},
		{"empty zip", zipOf(t), nil},
		{"tar", tarOf(t, entry{"a.json", object}, entry{"l", "-> /etc/passwd"}, entry{"../b", log}), []seen{{"f!a.json", JSON, object, nil}, {"f!../b", EVTX, log, nil}}},
		{"gzip", gzipOf(t, object), []seen{{"f", JSON, object, nil}}},
		{"two gzip members", gzipOf(t, object) + gzipOf(t, object), []seen{{"f", JSON, object + object, nil}}},
		{"zstd", zstdOf(t, object), []seen{{"f", JSON, object, nil}}},
		{"tar.gz", gzipOf(t, tarOf(t, plain[0])), []seen{{"f!a.json", JSON, object, nil}}},
		{"tar.zst", zstdOf(t, tarOf(t, plain[0])), []seen{{"f!a.json", JSON, object, nil}}},
		{"gzip in zip", zipOf(t, entry{"a.gz", gzipOf(t, object)}), []seen{{"f!a.gz", JSON, object, nil}}},
		{"zip in tar.gz", gzipOf(t, tarOf(t, entry{"z.zip", zipOf(t, plain[0])})), []seen{{"f!z.zip!a.json", JSON, object, nil}}},
		{"tar.gz in zip", zipOf(t, entry{"t.tgz", gzipOf(t, tarOf(t, plain[0]))}), []seen{{"f!t.tgz!a.json", JSON, object, nil}}},
		{"three deep", zipOf(t, entry{"y.zip", zipOf(t, entry{"z.zip", zipOf(t, plain[0])}, plain[0])}, plain[0]),
			[]seen{{"f!y.zip!z.zip", Unknown, "", ErrNested}, {"f!y.zip!a.json", JSON, object, nil}, {"f!a.json", JSON, object, nil}}},
		{"gzip, three deep", gzipOf(t, gzipOf(t, gzipOf(t, object))), []seen{{"f", Unknown, "", ErrNested}}},
		{"litter", zipOf(t, entry{"__MACOSX/._a.json", ad}, entry{"x/__MACOSX/real", object}, entry{"._b.json", ad}, entry{"._c.json", object}, plain[0]),
			[]seen{{"f!._c.json", JSON, object, nil}, {"f!a.json", JSON, object, nil}}},
		{"not gzip after all", "\x1f\x8b\x08 but text", []seen{{"f", Unknown, "", errAny}}},
		{"not zip after all", "PK\x03\x04 but text", []seen{{"f", Unknown, "", errAny}}},
		{"not zstd after all", "\x28\xb5\x2f\xfd but text", []seen{{"f", Unknown, "", errAny}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
				var got []seen
				if err := Stream("f", r, Options{}, collect(&got)); err != nil {
					t.Fatal(err)
				}
				for i := range got {
					if i < len(tt.want) && tt.want[i].err == errAny && got[i].err != nil {
						got[i].err = errAny
					}
				}
				check(t, got, tt.want)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	wide := func(order binary.AppendByteOrder, text string) string {
		b := order.AppendUint16(nil, 0xfeff)
		for _, u := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	}
	tests := []struct {
		name, text string
		want       Kind
	}{
		{"EVTX", log, EVTX},
		{"EVTX chunk, carved", "ElfChnk\x00", EVTX},
		{"EVTX, header overwritten", strings.Repeat("\x00", 4096) + "ElfChnk\x00", EVTX},
		{"chunk elsewhere", strings.Repeat("\x00", 4095) + "ElfChnk\x00", Unknown},
		{"object", object, JSON},
		{"pretty", "\r\n {\r\n\t\"a\": 1\n}", JSON},
		{"empty object", "{ }", JSON},
		{"byte order mark", "\ufeff" + object, JSON},
		{"UTF-16 little-endian", wide(binary.LittleEndian, object), JSON},
		{"UTF-16 big-endian", wide(binary.BigEndian, "[\n"+object), JSON},
		{"array", "[\n  " + object, JSON},
		{"empty array", "[]", JSON},
		{"NULs of a power cut", "\x00\x00" + object, JSON},
		{"a cut first line", `":1,"b":"x"}` + "\n" + object + "\n", JSON},
		{"a long first value", `{"a":"` + strings.Repeat("x", 10000), JSON},
		{"array of numbers", "[1,2]", Unknown},
		{"ini", "[section]\nkey=1\n", Unknown},
		{"yaml", "title: x\ndetection:\n  a: {\"b\": 1}\n", Unknown},
		{"template", "{{ x }}", Unknown},
		{"brace", "{", Unknown},
		{"csv", "a,b\n\"{\",1\n", Unknown},
		{"audit", "type=SYSCALL msg=audit(1604996384.965:93777): arch=c000003e\n", Audit},
		{"audit, interpreted, of a node", "node=h type=PROCTITLE msg=audit(11/10/2020 08:19:44.965:93777) : proctitle=dd\n", Audit},
		{"audit dump behind a mark", "----\ntype=CWD msg=audit(1604996384.965:93777): cwd=\"/\"\n", Audit},
		{"YAML that says audit", "type=SYSCALL msg=audit\n", Unknown},
		{"RFC 3164", "Oct  1 22:14:15 mymachine su: 'su root' failed\n", Syslog},
		{"RFC 3164 with a priority", "<34>Oct 11 22:14:15 mymachine su: x\n", Syslog},
		{"RFC 5424", "<34>1 2003-10-11T22:14:15.003Z m su - ID47 - x\n", Syslog},
		{"rsyslog", "2024-05-01T10:00:00.123456+02:00 host sshd[1]: x\n", Syslog},
		{"dated prose", "Oct 11 22:14:15 was the time when\nwe left\n", Unknown},
		{"CSV with times", "2024-05-01T10:00:00Z,a,b\n2024-05-01T10:00:01Z,c,d\n", Unknown},
		{"XML export", "\ufeff<?xml version=\"1.0\"?>\r\n<Events><Event xmlns='x'>", XML},
		{"XML event", "<Event xmlns='x'>", XML},
		{"other XML", "<?xml version=\"1.0\"?><Eventual/>", Unknown},
		{"HTML", "<html>", Unknown},
		{"python", "x = [\n  {\"a\": 1},\n]\n", Unknown},
		{"number", "12", Unknown},
		{"noise", "\x00\x01\x02\xff", Unknown},
	}
	for _, tt := range tests {
		if got := KindOf([]byte(tt.text[:min(len(tt.text), SniffSize)])); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestWalk walks a real folder: order, links, special names.
func TestWalk(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("root/b.json", object)
	write("root/a/z.zip", zipOf(t, entry{"m.json", object}))
	write("root/a/x.evtx", log)
	write("root/a/__MACOSX/y.json", object)
	write("root/c.txt", "text")
	write("secret.json", object)
	for link, to := range map[string]string{"out.json": "../secret.json", "in.json": "b.json", "loop": "."} {
		if err := os.Symlink(to, filepath.Join(dir, "root", link)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	root, err := os.OpenRoot(filepath.Join(dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var got []seen
	if err := Walk(root.FS(), "top", Options{}, collect(&got)); err != nil {
		t.Fatal(err)
	}
	check(t, got, []seen{{"top/a/x.evtx", EVTX, log, nil}, {"top/a/z.zip!m.json", JSON, object, nil},
		{"top/b.json", JSON, object, nil}, {"top/c.txt", Unknown, "text", nil},
		{"top/in.json", Unknown, "", ErrLink}, {"top/loop", Unknown, "", ErrLink}, {"top/out.json", Unknown, "", ErrLink}})
}

// broken is a file system in which some things cannot be read.
type broken struct{ fs.FS }

func (b broken) Open(name string) (fs.File, error) {
	if strings.Contains(name, "closed") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return b.FS.Open(name)
}

func TestWalkErrors(t *testing.T) {
	files := fstest.MapFS{
		"a.json": {Data: []byte(object)}, "closed/x.json": {Data: []byte(object)}, "closed.json": {Data: []byte(object)},
		"d/e.json": {Data: []byte(object)}, "link": {Data: []byte("a.json"), Mode: fs.ModeSymlink},
	}
	var got []seen
	if err := Walk(broken{files}, "top", Options{}, collect(&got)); err != nil {
		t.Fatal(err)
	}
	check(t, got, []seen{
		{"top/a.json", JSON, object, nil}, {"top/closed", Unknown, "", fs.ErrPermission},
		{"top/closed.json", Unknown, "", fs.ErrPermission}, {"top/d/e.json", JSON, object, nil},
		{"top/link", Unknown, "", ErrLink},
	})
}

func TestForeignArchivesAreNamed(t *testing.T) {
	for name, head := range map[string]string{
		"bzip2": "BZh91AY&SY", "xz": "\xfd7zXZ\x00\x00", "7z": "7z\xbc\xaf\x27\x1c\x00", "RAR": "Rar!\x1a\x07\x01", "LZ4": "\x04\x22\x4d\x18",
	} {
		var got []seen
		if err := Stream("a", strings.NewReader(head), Options{}, collect(&got)); err != nil {
			t.Fatal(err)
		}
		check(t, got, []seen{{"a", Unknown, "", ErrForeign}})
		if len(got) == 1 && got[0].err != nil && !strings.HasPrefix(got[0].err.Error(), name) {
			t.Errorf("%s: %v", name, got[0].err)
		}
	}
	for _, text := range []string{"BZh", "BZhou", "7zip is a program", "Rar!", "\xfd7z"} {
		if name := foreignForm([]byte(text)); name != "" {
			t.Errorf("%q is taken for %s", text, name)
		}
	}
}

// TestCutCompression reads what came before the place at which a compressed file ends early.
func TestCutCompression(t *testing.T) {
	text := log + strings.Repeat("0123456789", 20000)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(text))
	z.Close()
	for name, tt := range map[string]struct {
		data []byte
		opts Options
		want error
	}{
		"cut":       {packed.Bytes()[:packed.Len()-20], Options{}, io.ErrUnexpectedEOF},
		"too large": {packed.Bytes(), Options{MaxBuffer: 1000}, ErrTooLarge},
	} {
		visits := 0
		err := Stream("a", bytes.NewReader(tt.data), tt.opts, func(i *Item) error {
			visits++
			at, size, err := i.ReaderAt()
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
			if tt.opts.MaxBuffer > 0 && size != tt.opts.MaxBuffer {
				t.Errorf("%s: %d bytes", name, size)
			}
			head := make([]byte, len(log))
			if _, err := at.ReadAt(head, 0); err != nil || string(head) != log {
				t.Errorf("%s: %q, %v", name, head, err)
			}
			return nil
		})
		if err != nil || visits != 1 {
			t.Errorf("%s: %d visits, %v", name, visits, err)
		}
	}
}

func TestVisitEndsWalk(t *testing.T) {
	stop := errors.New("stop")
	for name, in := range map[string]string{
		"zip": zipOf(t, entry{"a", object}, entry{"b", object}), "tar": tarOf(t, entry{"a", object}, entry{"b", object}),
	} {
		n := 0
		err := Stream("f", strings.NewReader(in), Options{}, func(*Item) error { n++; return stop })
		if !errors.Is(err, stop) || n != 1 {
			t.Errorf("%s: %v after %d items", name, err, n)
		}
	}
}

// A visit that reads nothing, or a part, does not disturb the next member.
func TestSkippedContent(t *testing.T) {
	for _, in := range []string{
		zipOf(t, entry{"a", strings.Repeat("x", 1<<20)}, entry{"b", object}),
		gzipOf(t, tarOf(t, entry{"a", strings.Repeat("x", 1<<20)}, entry{"b", object})),
	} {
		var kinds []Kind
		err := Stream("f", strings.NewReader(in), Options{}, func(i *Item) error {
			kinds = append(kinds, i.Kind)
			_, err := i.Reader().Read(make([]byte, 10))
			return err
		})
		if err != nil || !slices.Equal(kinds, []Kind{Unknown, JSON}) {
			t.Errorf("%v, %v", kinds, err)
		}
	}
}

func TestReaderAt(t *testing.T) {
	big := log + strings.Repeat("x", 5000)
	opts := Options{MaxBuffer: int64(len(big))}
	read := func(in string, opts Options) (string, error) {
		var text string
		var failure error
		err := Stream("f", strings.NewReader(in), opts, func(i *Item) error {
			at, n, err := i.ReaderAt()
			if failure = err; err == nil {
				b, _ := io.ReadAll(io.NewSectionReader(at, 0, n))
				text = string(b)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return text, failure
	}
	for name, in := range map[string]string{
		"plain": big, "zip": zipOf(t, entry{"e", big}), "gzip": gzipOf(t, big), "tar": tarOf(t, entry{"e", big}),
	} {
		limits := opts
		if name == "zip" {
			limits.MaxBuffer += int64(len(in)) // a zip that is a stream is itself held in memory
		}
		if text, err := read(in, limits); err != nil || text != big {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
	opts.MaxBuffer--
	for name, in := range map[string]string{"plain": big, "gzip": gzipOf(t, big), "tar": tarOf(t, entry{"e", big})} {
		if _, err := read(in, opts); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f.evtx")
	if err := os.WriteFile(path, []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = File(path, f, Options{MaxBuffer: 1}, func(i *Item) error {
		at, n, err := i.ReaderAt()
		if _, isFile := at.(*os.File); err != nil || !isFile || n != int64(len(big)) || i.Size != n {
			t.Errorf("a file on disk: %T, %d, %v", at, n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	err = File(path, f, Options{}, func(i *Item) error {
		if !errors.Is(i.Err, fs.ErrClosed) {
			t.Errorf("a closed file: %v", i.Err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	failed := &Item{Err: errAny}
	if _, _, err := failed.ReaderAt(); !errors.Is(err, errAny) {
		t.Error(err)
	}
	if _, err := failed.Reader().Read(nil); !errors.Is(err, errAny) {
		t.Error(err)
	}
}

func TestEncrypted(t *testing.T) {
	in := []byte(zipOf(t, entry{"a", object}, entry{"b", object}))
	first := bytes.Index(in, []byte("PK\x01\x02"))
	in[first+8] |= 1
	var got []seen
	if err := Stream("f", bytes.NewReader(in), Options{}, collect(&got)); err != nil {
		t.Fatal(err)
	}
	check(t, got, []seen{{"f!a", Unknown, "", ErrEncrypted}, {"f!b", JSON, object, nil}})
	in[first+8] &^= 1
	in[first+10] = 97 // a method that nobody has
	got = nil
	if err := Stream("f", bytes.NewReader(in), Options{}, collect(&got)); err != nil {
		t.Fatal(err)
	}
	check(t, got, []seen{{"f!a", Unknown, "", zip.ErrAlgorithm}, {"f!b", JSON, object, nil}})
}

func TestBombs(t *testing.T) {
	bomb := object + strings.Repeat(" ", 1<<20)
	var many []entry
	for i := range 50 {
		many = append(many, entry{fmt.Sprint(i), object})
	}
	tests := []struct {
		name, in string
		opts     Options
		good     int // items that can be read before or beside the refused
	}{
		{"a member", zipOf(t, entry{"a", bomb}, entry{"b", object}), Options{MaxMember: 1 << 19}, 1},
		{"a stream", gzipOf(t, bomb), Options{MaxMember: 1 << 19}, 0},
		{"a tar in a stream", gzipOf(t, tarOf(t, entry{"a", object}, entry{"b", bomb})), Options{MaxMember: 1 << 19}, 1},
		{"all members", zipOf(t, entry{"a", bomb}, entry{"b", bomb}, entry{"c", bomb}), Options{MaxTotal: 5 << 19}, 2},
		{"all levels", zipOf(t, entry{"a.gz", gzipOf(t, bomb)}, entry{"b.gz", gzipOf(t, bomb)}), Options{MaxTotal: 3 << 19}, 1},
		{"many members of a zip", zipOf(t, many...), Options{MaxMembers: 10}, 10},
		{"many members of a tar", tarOf(t, many...), Options{MaxMembers: 10}, 10},
		{"many members of a zip in a zip", zipOf(t, entry{"z", zipOf(t, many...)}), Options{MaxMembers: 10}, 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []seen
			if err := Stream("f", strings.NewReader(tt.in), tt.opts, collect(&got)); err != nil {
				t.Fatal(err)
			}
			good, refused := 0, 0
			for _, s := range got {
				switch {
				case s.err == nil:
					good++
				case errors.Is(s.err, ErrTooLarge):
					refused++
				default:
					t.Error(s.err)
				}
			}
			if good != tt.good || refused == 0 {
				t.Errorf("%d good, %d refused, want %d good", good, refused, tt.good)
			}
		})
	}
}

// A zip whose table of contents is huge is refused before it fills memory.
func TestZipDirectoryBound(t *testing.T) {
	at := &budget{at: strings.NewReader(strings.Repeat("x", 100)), left: 50}
	if _, err := at.ReadAt(make([]byte, 50), 0); err != nil {
		t.Error(err)
	}
	if _, err := at.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// TestTruncationEverywhere cuts archives at every byte: no cut ends the walk, what comes is a prefix of
// the whole, and something says that it is cut.
func TestTruncationEverywhere(t *testing.T) {
	entries := []entry{{"a.json", object}, {"b.evtx", log}}
	for name, in := range map[string]string{
		"zip": zipOf(t, entries...), "tar": tarOf(t, entries...), "tar.gz": gzipOf(t, tarOf(t, entries...)),
		"gzip": gzipOf(t, object), "zstd": zstdOf(t, object), "tar.zst": zstdOf(t, tarOf(t, entries...)),
	} {
		for n := range len(in) {
			var got []seen
			if err := Stream("f", strings.NewReader(in[:n]), Options{}, collect(&got)); err != nil {
				t.Fatalf("%s cut at %d: %v", name, n, err)
			}
			failed := n < 4 || name == "tar" && n < 512 // below, a cut archive is not told from text
			for _, s := range got {
				failed = failed || s.err != nil
			}
			if !failed {
				t.Errorf("%s cut at %d of %d: unnoticed: %v", name, n, len(in), got)
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	seeds := []string{
		"", object, log, zipOf(f, entry{"a", object}), tarOf(f, entry{"a", object}), gzipOf(f, object), zstdOf(f, object),
		gzipOf(f, tarOf(f, entry{"a", object})), zipOf(f, entry{"z", zipOf(f, entry{"a", object})}),
		zipOf(f, entry{"t", gzipOf(f, tarOf(f, entry{"a", object}, entry{"b", log}))}), "\xff\xfe{\x00\"\x00", "PK\x05\x06",
	}
	if len(seeds) < 12 {
		f.Errorf("%d seeds", len(seeds))
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	opts := Options{MaxBuffer: 1 << 20, MaxMember: 1 << 20, MaxTotal: 4 << 20, MaxMembers: 100}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got []seen
		if err := Stream("f", bytes.NewReader(data), opts, collect(&got)); err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, s := range got {
			if total += len(s.text); !strings.HasPrefix(s.source, "f") || strings.Count(s.source, "!") < 0 {
				t.Errorf("source %q", s.source)
			}
		}
		if total > len(data)+int(opts.MaxTotal) || len(got) > 2*opts.MaxMembers {
			t.Errorf("%d bytes of text, %d items", total, len(got))
		}
	})
}

// BenchmarkWalk reads a zip of JSON lines; MB/s is of unpacked text.
func BenchmarkWalk(b *testing.B) {
	text := strings.Repeat(`{"Channel":"Security","EventID":4688,"CommandLine":"cmd.exe /c whoami"}`+"\n", 1<<14)
	in := zipOf(b, entry{"a.json", text})
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		err := Stream("f", strings.NewReader(in), Options{}, func(i *Item) error {
			_, err := io.Copy(io.Discard, i.Reader())
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
