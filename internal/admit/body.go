package admit

import (
	"fmt"

	"shieldwall/internal/object"
	"shieldwall/internal/stix"
)

// Bodies under a strict marking lie sealed in the store, so that a copied database does not open them. A sealed
// body begins with this byte; an object in clear begins with a brace or white space.
const sealedBody = 0x00

// place binds a body to its object and version. Not to its publisher: joining an alliance makes own copies local.
func place(c object.Copy) string { return "body/" + c.ID + "/" + c.Modified }

// seal gives the bytes to store for a copy.
func (g *Gate) seal(c object.Copy, raw []byte) []byte {
	if stix.TLP(c.TLP) < stix.AmberStrict {
		return raw
	}
	return append([]byte{sealedBody}, g.opt.Box.Seal(raw, place(c))...)
}

// Open gives a copy from the store with its body in clear. Whoever hands the result on has asked
// policy.MayRead.
func (g *Gate) Open(c object.Copy) (object.Copy, error) {
	if len(c.Raw) == 0 || c.Raw[0] != sealedBody {
		return c, nil
	}
	raw, err := g.opt.Box.Open(c.Raw[1:], place(c))
	if err != nil {
		return object.Copy{}, fmt.Errorf("opening %s as kept here: %w", c.ID, err)
	}
	c.Raw = raw
	return c, nil
}

func (g *Gate) openAll(copies []object.Copy) ([]object.Copy, error) {
	for i := range copies {
		var err error
		if copies[i], err = g.Open(copies[i]); err != nil {
			return nil, err
		}
	}
	return copies, nil
}
