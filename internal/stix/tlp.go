package stix

import (
	"fmt"
	"strings"
)

// TLP is a Traffic Light Protocol 2.0 marking; larger is stricter. The numbers are those of the payload's header
// (DESIGN.md, "Formats").
type TLP uint8

// The markings, None being the absence of one.
const (
	None TLP = iota
	Clear
	Green
	Amber
	AmberStrict
	Red
)

var tlpNames = [...]string{"NONE", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"}

func (t TLP) String() string {
	if int(t) < len(tlpNames) {
		return tlpNames[t]
	}
	return fmt.Sprintf("TLP(%d)", uint8(t))
}

// Valid says whether t is one of the five markings; None is none of them.
func (t TLP) Valid() bool { return Clear <= t && t <= Red }

// Stricter gives the more restrictive of two markings (section 7.2: markings combine so).
func (t TLP) Stricter(other TLP) TLP { return max(t, other) }

// ParseTLP reads a marking's name in any case, with or without "TLP:"; WHITE is TLP 1's name of CLEAR, and
// "amber-strict" spares shells the plus sign.
func ParseTLP(s string) (TLP, error) {
	name := strings.ToUpper(s)
	name = strings.TrimPrefix(name, "TLP:")
	switch name {
	case "WHITE":
		return Clear, nil
	case "AMBER-STRICT", "AMBER_STRICT":
		return AmberStrict, nil
	}
	for t := Clear; t <= Red; t++ {
		if name == tlpNames[t] {
			return t, nil
		}
	}
	return None, fmt.Errorf("%s is no TLP marking: clear, green, amber, amber+strict or red", shown(s))
}

// MarkingID is the identifier of the TLP 2.0 marking-definition for t, "" for None.
func (t TLP) MarkingID() string {
	switch t {
	case Clear:
		return "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
	case Green:
		return "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
	case Amber:
		return "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
	case AmberStrict:
		return "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
	case Red:
		return "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
	}
	return ""
}

// TLPOf tells the marking that a well-known identifier of TLP 1 or TLP 2.0 stands for.
func TLPOf(id string) (TLP, bool) {
	for t := Clear; t <= Red; t++ {
		if strings.EqualFold(id, t.MarkingID()) {
			return t, true
		}
	}
	switch strings.ToLower(id) {
	case "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": // TLP 1 WHITE
		return Clear, true
	case "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da":
		return Green, true
	case "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82":
		return Amber, true
	case "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed":
		return Red, true
	}
	return None, false
}

// tlpExtension is the extension definition by which TLP 2.0 markings carry their value.
const tlpExtension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

// MarkingTLP tells which TLP a marking-definition object stands for. Known ones without a TLP, a statement for
// example, give None. What claims to be a TLP under an identifier that is not TLP's own is Red: the two
// specifications fix the identifiers, so the claim is a mistake or a trick.
func (o *Object) MarkingTLP() TLP {
	if t, ok := TLPOf(o.ID); ok {
		return t
	}
	if strings.EqualFold(o.Text("definition_type"), "tlp") {
		return Red
	}
	claimed := None
	if ext, ok := o.Property("extensions"); ok && isObject(ext) {
		members(ext, func(name string, _ []byte) {
			if strings.EqualFold(name, tlpExtension) {
				claimed = Red
			}
		})
	}
	return claimed
}
