package match

import "fmt"

// ManyLists are ten million indicators in lists, for benchmarks from outside.
func ManyLists(load func(Compiled)) {
	for from := 0; from < manyValues; from += listValues {
		load(numberedUnit(fmt.Sprint("list", from), from, listValues).Compiled)
	}
}
