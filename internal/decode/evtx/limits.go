package evtx

// Limits that keep hostile files from costing more than honest ones. Real logs stay far below.
const (
	// MaxElementDepth is how deep elements of one template or fragment may nest.
	MaxElementDepth = 64
	// MaxFragmentDepth is how deep binary XML values (type 0x21) may nest in one record;
	// Windows uses one level.
	MaxFragmentDepth = 8
	// MaxFields is how many fields one event may have.
	MaxFields = 1024
	// MaxNameChars is the length of an element or attribute name in UTF-16 units.
	MaxNameChars = 512
	// MaxTemplateBytes is the size of one template with its names written out.
	MaxTemplateBytes = 256 << 10
	// MaxRecordWork and MaxChunkWork bound what one record and all records of a chunk may cost,
	// in bytes of text written or template read; an executed operation counts opWork bytes.
	// Small records that all refer to one huge template, or a template that uses one value a
	// thousand times, meet these.
	MaxRecordWork = 2 << 20
	MaxChunkWork  = 16 << 20
	opWork        = 32
	// maxCachedOps bounds the templates kept from chunk to chunk (about 25 MiB).
	maxCachedOps = 1 << 18
)

// Layout constants (EVTX, "File header", "Chunk", "Event record").
const (
	fileMagic          = "ElfFile\x00"
	fileHeaderSize     = 128
	defaultHeaderBlock = 4096

	chunkMagic      = "ElfChnk\x00"
	chunkSize       = 65536
	chunkHeaderSize = 512
	chunkFlagNoCRC  = 4

	recordMagic      = 0x00002a2a
	recordHeaderSize = 24
	// recordMinSize is a header, an empty fragment and the copy of the size.
	recordMinSize = recordHeaderSize + 4
)
