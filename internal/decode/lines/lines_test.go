package lines

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestNext(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	fits := strings.Repeat("y", MaxLine-1)
	r := New(strings.NewReader("\ufeffa\r\n\n" + long + "\nb\n" + fits + "\nlast"))
	for _, want := range []string{"a", "", "!", "b", fits, "last"} {
		got, err := r.Next()
		if want == "!" {
			if bad := (*Error)(nil); !errors.As(err, &bad) || bad.Line != 3 || !errors.Is(err, ErrTooLong) {
				t.Fatalf("a long line: %v", err)
			}
			continue
		}
		if err != nil || string(got) != want {
			t.Fatalf("line %d: %.20q, %v; want %.20q", r.Line(), got, err, want)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) || r.Line() != 6 {
		t.Fatalf("the end: %v at line %d", err, r.Line())
	}
}

func FuzzNext(f *testing.F) {
	seeds := []string{"", "a", "a\nb", "a\r\n\r\n", "\ufeffx\n"}
	if len(seeds) < 5 {
		f.Fatal("seeds are missing")
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := New(bytes.NewReader(data))
		for {
			if _, err := r.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil && !errors.Is(err, ErrTooLong) {
				t.Fatal(err)
			}
		}
		if r.Bytes() != int64(len(data)) {
			t.Errorf("%d bytes of %d", r.Bytes(), len(data))
		}
	})
}
