package control

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"shieldwall/internal/status"
)

const minSeeds = 8

func frameSeeds() []string {
	return []string{
		"", "\n", "{}\n", `{"end":true}`, `{"error":{"kind":"refused","error":"no"}}`, `{"error":{}}`, `{"detection":{"rule_id":"x","fields":{"a":"b"}}}` + "\n" + `{"end":true}`,
		`{"detection":null}`, `{"detection":{"time":"yesterday"}}`, "\xff", `[`, `{"end":"yes"}`,
	}
}

func publishSeeds(t testing.TB) [][]byte {
	whole, contentType, err := encodePublish(PublishRequest{TLP: "green", To: []string{"a"}, Files: []File{{"f", []byte("x")}, {"g\n", nil}}})
	if err != nil {
		t.Fatal(err)
	}
	boundary := []byte(contentType[len("multipart/form-data; boundary="):])
	whole = bytes.ReplaceAll(whole, boundary, []byte("b"))
	seeds := [][]byte{whole, whole[:len(whole)/2], nil, []byte("--b--"), []byte("--b\r\n\r\n{}\r\n--b--"), []byte("--b\r\nA"), []byte("--b\r\n\r\n[]"),
		[]byte("--b\r\n\r\n{}\r\n--b\r\nShieldwall-File: \"\\x\"\r\n\r\n\r\n--b--")}
	return seeds
}

func TestFuzzSeeds(t *testing.T) {
	if n := len(frameSeeds()); n < minSeeds {
		t.Errorf("%d seeds of frames, want at least %d", n, minSeeds)
	}
	if n := len(publishSeeds(t)); n < minSeeds {
		t.Errorf("%d seeds of publications, want at least %d", n, minSeeds)
	}
}

// FuzzReadFrames: a stream ends in nil only after its end line; nothing panics.
func FuzzReadFrames(f *testing.F) {
	for _, s := range frameSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := readFrames(bytes.NewReader(data), func(status.Detection) error { return nil })
		if err == nil && !bytes.Contains(data, []byte("true")) {
			t.Fatalf("%q passed for a whole stream", data)
		}
	})
}

// FuzzPublish: whatever is posted, the answer is JSON, and a refusal says why.
func FuzzPublish(f *testing.F) {
	for _, s := range publishSeeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/v1/publish", bytes.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		w := httptest.NewRecorder()
		Handler(&fake{}).ServeHTTP(w, r)
		var e wireError
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 200 && e.Error == "" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
