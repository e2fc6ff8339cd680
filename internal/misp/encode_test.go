package misp

import (
	"reflect"
	"testing"
)

// What is read is written so that it reads the same.
func TestEncode(t *testing.T) {
	e := decode(t, whole)[0]
	e.Losses = Losses{}
	e.Attributes[0].Deleted = true
	raw, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again := decode(t, string(raw))[0]
	if d := again.Objects[0].Attributes[0].Distribution; d != Organisation {
		t.Errorf("what was for nobody is now of distribution %d", d)
	}
	again.Objects[0].Attributes[0].Distribution = Unknown
	if !reflect.DeepEqual(e, again) {
		t.Errorf("%+v\nbecame %+v\nby %s", e, again, raw)
	}
}
