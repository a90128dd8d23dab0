using MambaRT.Backends.Cpu;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Every instruction of the emitted kernels, byte for byte as GNU as writes it; and what code finds behind itself.</summary>
public sealed unsafe class AssemblerTests
{
    /// <summary>Text in Intel syntax, its bytes, and the call that must write them.</summary>
    private static readonly (string Text, string Bytes, Action<Assembler> Write)[] Known =
    [
        ("mov rsi, [rdi+16]", "488b7710", a => a.Mov(Gpr.Rsi, new Mem(Gpr.Rdi, 16))),
        ("mov r9, rsi", "4989f1", a => a.Mov(Gpr.R9, Gpr.Rsi)),
        ("mov [rdi+64], rsi", "48897740", a => a.MovStore(new Mem(Gpr.Rdi, 64), Gpr.Rsi)),
        ("shl r14, 3", "49c1e603", a => a.Shl(Gpr.R14, 8)),
        ("lea rdx, [rsi+rcx*2]", "488d144e", a => a.Lea(Gpr.Rdx, new Mem(Gpr.Rsi, 0, Gpr.Rcx, 2))),
        ("add r10, [rdi+136]", "4c039788000000", a => a.Add(Gpr.R10, new Mem(Gpr.Rdi, 136))),
        ("add rax, r9", "4c01c8", a => a.Add(Gpr.Rax, Gpr.R9)),
        ("add r11, 64", "4981c340000000", a => a.Add(Gpr.R11, 64)),
        ("sub rbx, 1", "4881eb01000000", a => a.Sub(Gpr.Rbx, 1)),
        ("and r15, -32", "4981e7e0ffffff", a => a.And(Gpr.R15, -32)),
        ("mov rax, 768", "48c7c000030000", a => a.MovImmediate(Gpr.Rax, 768)),
        ("push r12", "4154", a => a.Push(Gpr.R12)),
        ("pop rbx", "5b", a => a.Pop(Gpr.Rbx)),
        ("prefetcht0 [rsi+8192]", "0f188e00200000", a => a.PrefetchT0(new Mem(Gpr.Rsi, 8192))),
        ("prefetcht0 [r9+r10*4+1]", "430f184c9101", a => a.PrefetchT0(new Mem(Gpr.R9, 1, Gpr.R10, 4))),
        ("vmovups zmm17, [r12+64]", "62c17c48104c2401", a => a.Vmovups(Z(17), new Mem(Gpr.R12, 64))),
        ("vmovups zmm3{k2}{z}, [rbp]", "62f17cca105d00", a => a.Vmovups(Z(3), new Mem(Gpr.Rbp), mask: new Mask(2))),
        ("vmovups [r13+rax*8-128]{k1}, zmm31", "62417c49117cc5fe", a => a.VmovupsStore(new Mem(Gpr.R13, -128, Gpr.Rax, 8), Z(31), mask: new Mask(1))),
        ("vmovdqu32 zmm8, zmm20", "62317e486fc4", a => a.Vmovdqu32(Z(8), Z(20))),
        ("vmovdqu32 ymm8, [rsi+34]", "62717e286f8622000000", a => a.Vmovdqu32(Z(8), new Mem(Gpr.Rsi, 34), 256)),
        ("vbroadcastss zmm29, [rdx+rax+396]", "62627d48186c0263", a => a.Vbroadcastss(Z(29), new Mem(Gpr.Rdx, 396, Gpr.Rax))),
        ("vpbroadcastd zmm12, [r8+rax*2+6144]", "62527d4858a44000180000", a => a.Vpbroadcastd(Z(12), new Mem(Gpr.R8, 6144, Gpr.Rax, 2))),
        ("vbroadcasti32x4 zmm8{k2}, [rsi+20]", "62727d4a5a8614000000", a => a.Vbroadcasti32x4(Z(8), new Mem(Gpr.Rsi, 20), new Mask(2))),
        ("vbroadcasti64x4 zmm10, [rsi+160]", "6272fd485b5605", a => a.Vbroadcasti64x4(Z(10), new Mem(Gpr.Rsi, 160))),
        ("vinserti64x4 zmm8, zmm8, [rsi+36], 1", "6273bd483a862400000001", a => a.Vinserti64x4(Z(8), Z(8), new Mem(Gpr.Rsi, 36), 1)),
        ("vextractf64x4 ymm9, zmm25, 1", "6243fd481bc901", a => a.Vextractf64x4(Z(9), Z(25), 1)),
        ("vextractf32x4 xmm9, ymm25, 1", "62437d2819c901", a => a.Vextractf32x4(Z(9), Z(25), 1, 256)),
        ("vaddps zmm1{k1}, zmm2, zmm30", "62916c4958ce", a => a.Vaddps(Z(1), Z(2), Z(30), mask: new Mask(1))),
        ("vmulps zmm9, zmm26, dword ptr [rdx+508]{1to16}", "62712c50594a7f", a => a.Vmulps(Z(9), Z(26), new Mem(Gpr.Rdx, 508).ToAllLanes)),
        ("vfmadd231ps zmm11, zmm23, zmm28", "62124540b8dc", a => a.Vfmadd231ps(Z(11), Z(23), Z(28))),
        ("vfmadd213ps zmm22, zmm21, zmm31", "62825540a8f7", a => a.Vfmadd213ps(Z(22), Z(21), Z(31))),
        ("vfnmadd213ps zmm1, zmm17, zmm9", "62d27540acc9", a => a.Vfnmadd213ps(Z(1), Z(17), Z(9))),
        ("vpdpbusd zmm23, zmm24, dword ptr [rsi+rax*8+1600]{1to16}", "62e23d5050bcc640060000", a => a.Vpdpbusd(Z(23), Z(24), new Mem(Gpr.Rsi, 1600, Gpr.Rax, 8).ToAllLanes)),
        ("vpdpbusd zmm10, zmm8, [rdx+rax+64]", "62723d4850540201", a => a.Vpdpbusd(Z(10), Z(8), new Mem(Gpr.Rdx, 64, Gpr.Rax))),
        ("vcvtdq2ps zmm19, zmm19", "62a17c485bdb", a => a.Vcvtdq2ps(Z(19), Z(19))),
        ("vcvtph2ps zmm16, [rsi+32]", "62e27d48134601", a => a.Vcvtph2ps(Z(16), new Mem(Gpr.Rsi, 32))),
        ("vcvtph2ps zmm9, ymm9", "62527d4813c9", a => a.Vcvtph2ps(Z(9), Z(9))),
        ("vpmovzxwd zmm16, [rsi+96]", "62e27d48334603", a => a.Vpmovzxwd(Z(16), new Mem(Gpr.Rsi, 96))),
        ("vpmovzxbd zmm15, xmm15", "62527d4831ff", a => a.Vpmovzxbd(Z(15), Z(15))),
        ("vpmovsxbd zmm12, [rsi+192]", "62727d4821660c", a => a.Vpmovsxbd(Z(12), new Mem(Gpr.Rsi, 192))),
        ("vpxord zmm8, zmm8, zmm20", "62313d48efc4", a => a.Vpxord(Z(8), Z(8), Z(20))),
        ("vpandd zmm8, zmm8, zmm20", "62313d48dbc4", a => a.Vpandd(Z(8), Z(8), Z(20))),
        ("vpord xmm15, xmm15, xmm14", "62510508ebfe", a => a.Vpord(Z(15), Z(15), Z(14), 128)),
        ("vpternlogd zmm8, zmm14, zmm21, 0xf8", "62330d4825c5f8", a => a.Vpternlogd(Z(8), Z(14), Z(21), 0xf8)),
        ("vpshufb zmm8, zmm21, zmm8", "6252554000c0", a => a.Vpshufb(Z(8), Z(21), Z(8))),
        ("vpshufd xmm30, xmm9, 0x50", "62417d0870f150", a => a.Vpshufd(Z(30), Z(9), 0x50, 128)),
        ("vpsrad zmm28, [rcx+rax+128], 2", "62f11d407264010202", a => a.Vpsrad(Z(28), new Mem(Gpr.Rcx, 128, Gpr.Rax), 2)),
        ("vpslld zmm16, zmm16, 16", "62b17d4072f010", a => a.Vpslld(Z(16), Z(16), 16)),
        ("vpsrlw zmm8{k3}, zmm8, 4", "62d13d4b71d004", a => a.Vpsrlw(Z(8), Z(8), 4, new Mask(3))),
        ("vpsrlvd zmm11, zmm10, zmm20", "62322d4845dc", a => a.Vpsrlvd(Z(11), Z(10), Z(20))),
        ("vpsllvd zmm11, zmm10, zmm20", "62322d4847dc", a => a.Vpsllvd(Z(11), Z(10), Z(20))),
        ("vprolvd zmm14, zmm13, zmm20", "6232154815f4", a => a.Vprolvd(Z(14), Z(13), Z(20))),
        ("vpermps zmm29, zmm23, zmm16", "6222454016e8", a => a.Vpermps(Z(29), Z(23), Z(16))),
        ("vpermw zmm9, zmm22, [rsi+68]", "6272cd408d8e44000000", a => a.Vpermw(Z(9), Z(22), new Mem(Gpr.Rsi, 68), 512)),
        ("vmovsldup zmm9, zmm9", "62517e4812c9", a => a.Vmovsldup(Z(9), Z(9))),
        ("vreduceps zmm21, zmm20, 9", "62a37d4856ec09", a => a.VreducepsFloor(Z(21), Z(20))),
        ("vscalefps zmm22, zmm22, zmm20", "62a24d402cf4", a => a.Vscalefps(Z(22), Z(22), Z(20))),
        ("vrcp14ps zmm21, zmm20", "62a27d484cec", a => a.Vrcp14ps(Z(21), Z(20))),
        ("vmaxps zmm16, zmm25, zmm21", "62a134405fc5", a => a.Vmaxps(Z(16), Z(25), Z(21))),
        ("vcmpps k2, zmm25, zmm20, 0x11", "62b13440c2d411", a => a.VcmppsLess(new Mask(2), Z(25), Z(20))),
        ("vblendmps zmm21{k2}, zmm21, zmm20", "62a2554265ec", a => a.Vblendmps(Z(21), new Mask(2), Z(21), Z(20))),
        ("vpmaxsd zmm16, zmm25, zmm21", "62a235403dc5", a => a.Vpmaxsd(Z(16), Z(25), Z(21))),
        ("vpmaxsd ymm18, ymm2, ymm3", "62e26d283dd3", a => a.Vpmaxsd(Z(18), Z(2), Z(3), 256)),
        ("vpmaxsd xmm2, xmm2, xmm3", "62f26d083dd3", a => a.Vpmaxsd(Z(2), Z(2), Z(3), 128)),
        ("vdivps xmm4{k1}{z}, xmm18, xmm2", "62f16c815ee2", a => a.Vdivps(Z(4), Z(18), Z(2), 128, new Mask(1))),
        ("vbroadcastss zmm4, xmm4", "62f27d4818e4", a => a.Vbroadcastss(Z(4), Z(4))),
        ("vcvtps2dq zmm1, zmm1", "62f17d485bc9", a => a.Vcvtps2dq(Z(1), Z(1))),
        ("vpmovdb xmm1, zmm17", "62e27e4831c9", a => a.Vpmovdb(Z(1), Z(17))),
        ("vinserti32x4 ymm16, ymm0, xmm1, 1", "62e37d2838c101", a => a.Vinserti32x4(Z(16), Z(0), Z(1), 1, 256)),
        ("vpdpbusd ymm6, ymm16, ymm0", "62f27d2050f0", a => a.Vpdpbusd(Z(6), Z(16), Z(0), 256)),
        ("vpaddd ymm22, ymm6, ymm3", "62e14d28fef3", a => a.Vpaddd(Z(22), Z(6), Z(3), 256)),
        ("vpsubd zmm3, zmm3, zmm6", "62f16548fade", a => a.Vpsubd(Z(3), Z(3), Z(6))),
        ("vunpcklps xmm22, xmm6, xmm3", "62e14c0814f3", a => a.Vunpcklps(Z(22), Z(6), Z(3), 128)),
        ("vpunpckldq zmm20, zmm16, zmm17", "62a17d4062e1", a => a.Vpunpckldq(Z(20), Z(16), Z(17))),
        ("vpunpckhdq zmm21, zmm16, zmm17", "62a17d406ae9", a => a.Vpunpckhdq(Z(21), Z(16), Z(17))),
        ("vpunpcklqdq zmm24, zmm20, zmm22", "6221dd406cc6", a => a.Vpunpcklqdq(Z(24), Z(20), Z(22))),
        ("vpunpckhqdq zmm25, zmm20, zmm22", "6221dd406dce", a => a.Vpunpckhqdq(Z(25), Z(20), Z(22))),
        ("{evex} vpinsrw xmm12, xmm12, [rsi+510], 7", "62711d08c4a6fe01000007", a => a.Vpinsrw(Z(12), Z(12), new Mem(Gpr.Rsi, 510), 7)),
        ("prefetchw [rdx+r11]", "420f0d0c1a", a => a.PrefetchW(new Mem(Gpr.Rdx, 0, Gpr.R11))),
        ("prefetcht1 [rsi+8192]", "0f189600200000", a => a.PrefetchT1(new Mem(Gpr.Rsi, 8192))),
        ("vpsrld zmm10, zmm10, 4", "62d12d4872d204", a => a.Vpsrld(Z(10), Z(10), 4)),
        ("vmovshdup zmm23, zmm23", "62a17e4816ff", a => a.Vmovshdup(Z(23), Z(23))),
        ("vpaddb zmm8{k4}, zmm8, zmm25", "62113d4cfcc1", a => a.Vpaddb(Z(8), Z(8), Z(25), new Mask(4))),
        ("kmovd k4, [rsi+24]", "c4e1f9906618", a => a.Kmovd(new Mask(4), new Mem(Gpr.Rsi, 24))),
        ("kmovd k5, [r9+24]", "c4c1f9906918", a => a.Kmovd(new Mask(5), new Mem(Gpr.R9, 24))),
        ("kunpckdq k4, k5, k4", "c4e1d44be4", a => a.Kunpckdq(new Mask(4), new Mask(5), new Mask(4))),
        ("kmovw k1, ebx", "c5f892cb", a => a.Kmovw(new Mask(1), Gpr.Rbx)),
        ("kmovw k1, r10d", "c4c17892ca", a => a.Kmovw(new Mask(1), Gpr.R10)),
        ("kmovq k3, r11", "c4c1fb92db", a => a.Kmovq(new Mask(3), Gpr.R11)),
    ];

    public static TheoryData<string> Texts => [.. Known.Select(k => k.Text)];

    [Theory]
    [MemberData(nameof(Texts))]
    public void Instruction_InEveryForm_HasTheKnownBytes(string text)
    {
        (_, string bytes, Action<Assembler> write) = Known.Single(k => k.Text == text);
        var code = new Assembler();
        write(code);
        Assert.Equal(bytes, Convert.ToHexStringLower(code.ToArray().AsSpan(0, code.Position)));
    }

    [MachineFact(Needs.EmittedCode)]
    public void Constants_BehindTheCode_AreFoundAndStandOnce()
    {
        var a = new Assembler();
        a.Mov(Gpr.Rsi, new Mem(Gpr.Rdi));
        a.Vbroadcastss(Z(0), a.Constant(1.5f));
        a.Vaddps(Z(0), Z(0), a.Constant(2f));
        a.Vaddps(Z(0), Z(0), a.Constant(1.5f));
        a.Vcvtdq2ps(Z(1), a.Lanes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
        a.Vpternlogd(Z(2), Z(2), a.Constant(0), 0xff);   // a constant byte follows the reference
        a.Vcvtdq2ps(Z(2), Z(2));
        a.Vaddps(Z(0), Z(0), Z(1));
        a.Vaddps(Z(0), Z(0), Z(2));
        a.VmovupsStore(new Mem(Gpr.Rsi), Z(0));
        a.Return();
        byte[] code = a.ToArray();
        Assert.True(code.Length <= (a.Position + 63) / 64 * 64 + 128, "1.5 stands once, so a line of single values and a line of lanes are enough");
        using ExecutableMemory memory = ExecutableMemory.TryCreate(code)!;   // Avx512Support made code already
        float* result = stackalloc float[16];
        float** argument = &result;
        memory.Entry(argument);
        for (int i = 0; i < 16; i++) Assert.Equal(1.5f + 2 + 1.5f + i - 1, result[i]);
    }

    private static Zmm Z(int index) => new(index);
}
