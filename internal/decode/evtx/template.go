package evtx

import "fmt"

// templateHeader precedes a template's tokens: next offset u32, GUID, data size u32 (EVTX, "Template
// definition"). The chain of next offsets is not followed: instances name their definition.
const templateHeader = 24

// template gives the program of the definition at a chunk offset, for use in section s.
func (d *decoder) template(def uint32, s section) (*program, error) {
	key := def<<2 | uint32(s)
	if p := d.templates[key]; p != nil {
		return p, nil
	}
	if def < chunkHeaderSize || int64(def)+templateHeader > int64(len(d.chunk)) {
		return nil, fmt.Errorf("template definition at %d, outside the chunk: %w", def, ErrFormat)
	}
	start := int(def) + templateHeader
	size := int64(le32(d.chunk[def+20:]))
	if size > int64(len(d.chunk)-start) {
		return nil, fmt.Errorf("template definition at %d ends outside the chunk: %w", def, ErrFormat)
	}
	l := lexer{chunk: d.chunk, pos: start, end: start + int(size), deps: true, out: append(d.canon[:0], byte(s))}
	tok, err := l.fragmentHead()
	if err == nil && tok != tokOpen {
		err = l.errorf("token 0x%02x where the template's element starts", tok)
	}
	if err == nil {
		err = l.element()
	}
	d.canon = l.out
	// A failure is charged too: small records may all point at one large broken template.
	if over := d.charge(len(l.out)); over != nil {
		return nil, over
	}
	if err != nil {
		return nil, err
	}
	p := d.program(l.out, s)
	d.templates[key] = p
	return p, nil
}

// program gives the program of canonical tokens, which key[1:] holds behind the section.
func (d *decoder) program(key []byte, s section) *program {
	if p := d.kept[string(key)]; p != nil {
		return p
	}
	p := compile(key[1:], s)
	if d.keptOps += len(p.ops) + len(key)/64; d.keptOps > maxCachedOps {
		clear(d.kept)
		d.keptOps = len(p.ops)
	}
	d.kept[string(key)] = p
	return p
}
