package observed

import "testing"

func BenchmarkObjects(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Objects(process)
	}
}
