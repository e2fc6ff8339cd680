#include "textflag.h"

DATA nibble<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+16(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+24(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibble<>(SB), RODATA|NOPTR, $32

// func teddyAVX2(text *byte, n int, masks *teddyMasks) (at int, places, high uint32)
TEXT ·teddyAVX2(SB), NOSPLIT, $0-40
	MOVQ text+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ masks+16(FP), DI
	XORQ DX, DX
	VMOVDQU (DI), Y8     // first byte, lower half
	VMOVDQU 32(DI), Y9   // upper half
	VMOVDQU 64(DI), Y10  // second byte
	VMOVDQU 96(DI), Y11
	VMOVDQU 128(DI), Y12 // third byte
	VMOVDQU 160(DI), Y13
	VMOVDQU nibble<>(SB), Y14
	VPXOR Y15, Y15, Y15  // all first bytes, joined by "or"
	VPXOR Y7, Y7, Y7

block:
	LEAQ 34(DX), AX
	CMPQ AX, CX
	JGT  end
	VMOVDQU (SI)(DX*1), Y0
	VMOVDQU 1(SI)(DX*1), Y1
	VMOVDQU 2(SI)(DX*1), Y2
	VPOR Y0, Y15, Y15

	VPAND Y14, Y0, Y3
	VPSHUFB Y3, Y8, Y3
	VPSRLW $4, Y0, Y0
	VPAND Y14, Y0, Y0
	VPSHUFB Y0, Y9, Y0
	VPAND Y0, Y3, Y3

	VPAND Y14, Y1, Y4
	VPSHUFB Y4, Y10, Y4
	VPSRLW $4, Y1, Y1
	VPAND Y14, Y1, Y1
	VPSHUFB Y1, Y11, Y1
	VPAND Y1, Y4, Y4

	VPAND Y14, Y2, Y5
	VPSHUFB Y5, Y12, Y5
	VPSRLW $4, Y2, Y2
	VPAND Y14, Y2, Y2
	VPSHUFB Y2, Y13, Y2
	VPAND Y2, Y5, Y5

	VPAND Y4, Y3, Y3
	VPAND Y5, Y3, Y3
	VPCMPEQB Y7, Y3, Y3
	VPMOVMSKB Y3, AX     // places where no bucket is left
	XORL $0xffffffff, AX
	JNZ  found
	ADDQ $32, DX
	JMP  block

end:
	XORL AX, AX

found:
	MOVQ DX, at+24(FP)
	MOVL AX, places+32(FP)
	VPMOVMSKB Y15, BX
	MOVL BX, high+36(FP)
	VZEROUPPER
	RET
