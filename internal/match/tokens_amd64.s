#include "textflag.h"

// The bytes of words (classes in tokens.go): those for which the entries of both halves have a bit in common.
// Upper half: 2 to 7 have a bit each, 8 and more one together.
DATA upper<>+0(SB)/8, $0x2010080402010000
DATA upper<>+8(SB)/8, $0x4040404040404040
DATA upper<>+16(SB)/8, $0x2010080402010000
DATA upper<>+24(SB)/8, $0x4040404040404040
GLOBL upper<>(SB), RODATA|NOPTR, $32

// Lower half.
DATA lower<>+0(SB)/8, $0x7e7e7e7e7e7e7e6e
DATA lower<>+8(SB)/8, $0x5c555554557e7e7e
DATA lower<>+16(SB)/8, $0x7e7e7e7e7e7e7e6e
DATA lower<>+24(SB)/8, $0x5c555554557e7e7e
GLOBL lower<>(SB), RODATA|NOPTR, $32

DATA nibble<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+16(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+24(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibble<>(SB), RODATA|NOPTR, $32

DATA dot<>+0(SB)/8, $0x2e2e2e2e2e2e2e2e
DATA dot<>+8(SB)/8, $0x2e2e2e2e2e2e2e2e
DATA dot<>+16(SB)/8, $0x2e2e2e2e2e2e2e2e
DATA dot<>+24(SB)/8, $0x2e2e2e2e2e2e2e2e
GLOBL dot<>(SB), RODATA|NOPTR, $32

DATA colon<>+0(SB)/8, $0x3a3a3a3a3a3a3a3a
DATA colon<>+8(SB)/8, $0x3a3a3a3a3a3a3a3a
DATA colon<>+16(SB)/8, $0x3a3a3a3a3a3a3a3a
DATA colon<>+24(SB)/8, $0x3a3a3a3a3a3a3a3a
GLOBL colon<>(SB), RODATA|NOPTR, $32

DATA at<>+0(SB)/8, $0x4040404040404040
DATA at<>+8(SB)/8, $0x4040404040404040
DATA at<>+16(SB)/8, $0x4040404040404040
DATA at<>+24(SB)/8, $0x4040404040404040
GLOBL at<>(SB), RODATA|NOPTR, $32

// func classifyAVX2(text *byte, blocks int, words, marks *uint64)
TEXT ·classifyAVX2(SB), NOSPLIT, $0-32
	MOVQ text+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVQ words+16(FP), DI
	MOVQ marks+24(FP), DX
	VMOVDQU upper<>(SB), Y8
	VMOVDQU lower<>(SB), Y9
	VMOVDQU nibble<>(SB), Y10
	VMOVDQU dot<>(SB), Y11
	VMOVDQU colon<>(SB), Y12
	VMOVDQU at<>(SB), Y13
	VPXOR Y14, Y14, Y14

block:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1

	VPAND Y10, Y0, Y2
	VPSHUFB Y2, Y9, Y2
	VPSRLW $4, Y0, Y3
	VPAND Y10, Y3, Y3
	VPSHUFB Y3, Y8, Y3
	VPAND Y2, Y3, Y2
	VPCMPEQB Y14, Y2, Y2
	VPMOVMSKB Y2, AX // no words' bytes, of the first half

	VPAND Y10, Y1, Y2
	VPSHUFB Y2, Y9, Y2
	VPSRLW $4, Y1, Y3
	VPAND Y10, Y3, Y3
	VPSHUFB Y3, Y8, Y3
	VPAND Y2, Y3, Y2
	VPCMPEQB Y14, Y2, Y2
	VPMOVMSKB Y2, BX
	SHLQ $32, BX
	ORQ  BX, AX
	NOTQ AX
	MOVQ AX, (DI)

	VPCMPEQB Y11, Y0, Y2
	VPCMPEQB Y12, Y0, Y3
	VPCMPEQB Y13, Y0, Y4
	VPOR Y2, Y3, Y2
	VPOR Y4, Y2, Y2
	VPMOVMSKB Y2, AX // dots, colons and at signs, of the first half
	VPCMPEQB Y11, Y1, Y2
	VPCMPEQB Y12, Y1, Y3
	VPCMPEQB Y13, Y1, Y4
	VPOR Y2, Y3, Y2
	VPOR Y4, Y2, Y2
	VPMOVMSKB Y2, BX
	SHLQ $32, BX
	ORQ  BX, AX
	MOVQ AX, (DX)

	ADDQ $64, SI
	ADDQ $8, DI
	ADDQ $8, DX
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET
