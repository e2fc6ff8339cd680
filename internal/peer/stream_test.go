package peer

import (
	"maps"
	"testing"
)

// TestCardsSince puts together what a stream tells, news by news.
func TestCardsSince(t *testing.T) {
	steps := []map[string]uint64{
		{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 7}, {"a": 1, "c": 1}, {"a": 1, "c": 1},
	}
	want := []int{2, 1, 1, 2, 0} // how many are told
	var told map[string]uint64
	reader := map[string]uint64{}
	for i, held := range steps {
		news := cardsSince(told, held)
		if len(news) != want[i] {
			t.Errorf("step %d: told %v", i, news)
		}
		for member, sequence := range news {
			if sequence == 0 {
				delete(reader, member)
			} else {
				reader[member] = sequence
			}
		}
		if told = held; !maps.Equal(reader, held) {
			t.Errorf("step %d: the reader has %v, the peer %v", i, reader, held)
		}
	}
}
