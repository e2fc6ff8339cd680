package event

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

func TestNames(t *testing.T) {
	var n Names
	if n.Len() != 0 || n.Slot("Image") != 0 {
		t.Fatal("an empty register knows a name")
	}
	if got := n.Want("Image", "CommandLine", "Image"); !slices.Equal(got, []Slot{1, 2, 1}) {
		t.Fatalf("slots %v", got)
	}
	if got := n.Want("User", "CommandLine"); !slices.Equal(got, []Slot{3, 2}) || n.Len() != 3 {
		t.Fatalf("slots %v of %d", got, n.Len())
	}
	if n.Slot("Image") != 1 || n.Slot("image") != 0 {
		t.Fatal("a slot changed, or case does not count")
	}
}

// TestNamesConcurrent: whoever asks, a name has one slot, and every slot below Len has a name.
func TestNamesConcurrent(t *testing.T) {
	var n Names
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				name := fmt.Sprint("f", (i*7+g)%100)
				if slot := n.Want(name)[0]; n.Slot(name) != slot || int(slot) > n.Len() {
					t.Errorf("%s: slot %d, found %d of %d", name, slot, n.Slot(name), n.Len())
				}
			}
		})
	}
	wg.Wait()
	seen := map[Slot]bool{}
	for i := range 100 {
		seen[n.Slot(fmt.Sprint("f", i))] = true
	}
	if len(seen) != 100 || n.Len() != 100 || seen[0] {
		t.Fatalf("%d slots of %d names", len(seen), n.Len())
	}
}
