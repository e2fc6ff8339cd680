#include "textflag.h"

// What bytes are compared with, 32 times each.
DATA quote<>+0(SB)/8, $0x2222222222222222
DATA quote<>+8(SB)/8, $0x2222222222222222
DATA quote<>+16(SB)/8, $0x2222222222222222
DATA quote<>+24(SB)/8, $0x2222222222222222
GLOBL quote<>(SB), RODATA|NOPTR, $32

DATA slash<>+0(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA slash<>+8(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA slash<>+16(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA slash<>+24(SB)/8, $0x5c5c5c5c5c5c5c5c
GLOBL slash<>(SB), RODATA|NOPTR, $32

DATA control<>+0(SB)/8, $0x1f1f1f1f1f1f1f1f
DATA control<>+8(SB)/8, $0x1f1f1f1f1f1f1f1f
DATA control<>+16(SB)/8, $0x1f1f1f1f1f1f1f1f
DATA control<>+24(SB)/8, $0x1f1f1f1f1f1f1f1f
GLOBL control<>(SB), RODATA|NOPTR, $32

DATA nibble<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+16(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+24(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibble<>(SB), RODATA|NOPTR, $32

// The characters of simple escapes: those for which the entries of both halves have a bit in common.
// Upper half: 2 has bit 1, 5 bit 2, 6 bit 4, 7 bit 8.
DATA upper<>+0(SB)/8, $0x0804020000010000
DATA upper<>+8(SB)/8, $0
DATA upper<>+16(SB)/8, $0x0804020000010000
DATA upper<>+24(SB)/8, $0
GLOBL upper<>(SB), RODATA|NOPTR, $32

// Lower half: 2 of " b r, 4 of t, 6 of f, c of \, e of n, f of /.
DATA lower<>+0(SB)/8, $0x00040008000d0000
DATA lower<>+8(SB)/8, $0x0104000200000000
DATA lower<>+16(SB)/8, $0x00040008000d0000
DATA lower<>+24(SB)/8, $0x0104000200000000
GLOBL lower<>(SB), RODATA|NOPTR, $32

// func quotedAVX2(text *byte, n int) (end int, escapes, high bool)
TEXT ·quotedAVX2(SB), NOSPLIT, $0-26
	MOVQ text+0(FP), SI
	MOVQ n+8(FP), CX
	XORQ DX, DX  // the block's place
	XORL R8, R8  // 1: the block's first byte stands behind a backslash
	XORL R9, R9  // backslashes seen
	XORL R10, R10 // bytes beyond ASCII seen
	VMOVDQU quote<>(SB), Y4
	VMOVDQU slash<>(SB), Y5
	VMOVDQU control<>(SB), Y6
	VMOVDQU nibble<>(SB), Y7
	VMOVDQU upper<>(SB), Y8
	VMOVDQU lower<>(SB), Y9
	VPXOR Y10, Y10, Y10

block:
	LEAQ 32(DX), AX
	CMPQ AX, CX
	JGT  give_up
	VMOVDQU (SI)(DX*1), Y0
	VPCMPEQB Y4, Y0, Y1
	VPMOVMSKB Y1, R11 // quotes
	VPCMPEQB Y5, Y0, Y1
	VPMOVMSKB Y1, R12 // backslashes
	VPMINUB Y6, Y0, Y1
	VPCMPEQB Y1, Y0, Y1
	VPMOVMSKB Y1, R13 // control characters, later all that is wrong
	VPMOVMSKB Y0, AX  // beyond ASCII
	MOVL R12, BX
	ORL  R8, BX
	JNZ  escapes
	TESTL R11, R11
	JNZ  last
	TESTL R13, R13
	JNZ  give_up
	ORL  AX, R10
	ADDQ $32, DX
	JMP  block

escapes:
	// Which bytes stand behind a backslash that is none itself: where runs of backslashes begin at even
	// places, a subtraction carries through them and leaves the odd ones (as simdjson does).
	MOVL R8, BX
	NOTL BX
	ANDL R12, BX
	LEAL (BX)(BX*1), DI
	ORL  $0xaaaaaaaa, DI
	SUBL BX, DI
	XORL $0xaaaaaaaa, DI
	MOVL R12, BX
	ORL  R8, BX
	XORL DI, BX       // escaped bytes
	ANDL R12, DI
	SHRL $31, DI
	MOVL DI, R8
	VPSHUFB Y0, Y9, Y1
	VPSRLW $4, Y0, Y2
	VPAND Y7, Y2, Y2
	VPSHUFB Y2, Y8, Y2
	VPAND Y1, Y2, Y1
	VPCMPEQB Y10, Y1, Y1
	VPMOVMSKB Y1, DI  // no simple escape's character
	ANDL BX, DI
	ORL  DI, R13
	NOTL BX
	ANDL BX, R11      // quotes that end the string
	JNZ  last
	TESTL R13, R13
	JNZ  give_up
	ORL  R12, R9
	ORL  AX, R10
	ADDQ $32, DX
	JMP  block

last:
	LEAL -1(R11), BX
	XORL R11, BX
	SHRL $1, BX       // what stands before the quote
	ANDL BX, R13
	JNZ  give_up
	ANDL BX, R12
	ORL  R12, R9
	ANDL BX, AX
	ORL  AX, R10
	BSFL R11, R11
	ADDQ R11, DX
	MOVQ DX, end+16(FP)
	TESTL R9, R9
	SETNE escapes+24(FP)
	TESTL R10, R10
	SETNE high+25(FP)
	VZEROUPPER
	RET

give_up:
	MOVQ $-1, end+16(FP)
	MOVB $0, escapes+24(FP)
	MOVB $0, high+25(FP)
	VZEROUPPER
	RET
