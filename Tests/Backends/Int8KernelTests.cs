using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Every quantized type on every kind of dot product that this machine has: the same bits, one row at a time and as panels.</summary>
public sealed unsafe class Int8KernelTests
{
    private const int Rows = 21, Activations = 10;

    public static TheoryData<string> Types => [.. QuantTypes.All.Where(t => t.BlockLength > 1).Select(t => t.Name)];

    public static TheoryData<string> FloatTypes => [.. QuantTypes.All.Where(t => t.BlockLength == 1).Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Types))]
    public void Kernel_OnAnyDotProduct_GivesTheSameBits(string type)
    {
        using Sample sample = new(QuantTypes.ByName(type)!);
        CheckSameBits(sample);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Kernel_OnLargestWeightsAndActivations_GivesTheSameBits(string type)
    {
        using Sample sample = new(QuantTypes.ByName(type)!, extreme: true);
        CheckSameBits(sample);   // sums that a dot product keeps in fewer bits are as large as they get
    }

    private static void CheckSameBits(Sample sample)
    {
        (float[] dots, float[] panels) = sample.Run(Int8Kernels.Create<PortableDot>(sample.View)!);
        foreach (CpuIsa isa in new[] { CpuIsa.Avx2, CpuIsa.AvxVnni })
        {
            // On a machine without AVX-VNNI both are the plain path; the portable twin is always another.
            (float[] otherDots, float[] otherPanels) = sample.Run(Int8Kernels.TryCreate(sample.View, isa)!);
            Assert.Equal(dots, otherDots);
            Assert.Equal(panels, otherPanels);
        }
    }

    [MachineTheory(Needs.EmittedCode)]
    [MemberData(nameof(Types))]
    public void EmittedKernel_BesideThePortableOne_GivesTheSameBits(string type)
    {
        foreach (bool extreme in (bool[])[false, true])
        {
            using Sample sample = new(QuantTypes.ByName(type)!, extreme);
            using var code = new CodeCache();
            (_, float[] panels) = sample.Run(Int8Kernels.Create<PortableDot>(sample.View)!);
            (_, float[] emitted) = sample.Run(Int8Kernels.TryCreate(sample.View, CpuIsa.Auto, code)!);
            Assert.Equal(panels, emitted);
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Kernel_AgainstDecodedWeights_IsExactButForRounding(string type)
    {
        using Sample sample = new(QuantTypes.ByName(type)!);
        double[] expected = sample.Exact();
        Check(type, expected, sample.Run(Int8Kernels.TryCreate(sample.View, CpuIsa.Auto)!));
    }

    [MachineTheory(Needs.EmittedCode)]
    [MemberData(nameof(Types))]
    public void EmittedKernel_AgainstDecodedWeights_IsExactButForRounding(string type)
    {
        using Sample sample = new(QuantTypes.ByName(type)!);
        using var code = new CodeCache();
        Check(type, sample.Exact(), sample.Run(Int8Kernels.TryCreate(sample.View, CpuIsa.Auto, code)!));
    }

    [Theory]
    [InlineData("Q4_K")]
    [InlineData("MXFP4")]
    public void DecodingKernel_TypeThatMayHaveNoKernelYet_IsExactButForRounding(string type)
    {
        using Sample sample = new(QuantTypes.ByName(type)!);

        Check(type, sample.Exact(), sample.Run(new DecodingKernel(sample.View)));
    }

    private static void Check(string type, double[] expected, (float[] Dots, float[] Panels) got)
    {
        (float[] dots, float[] panels) = got;
        double scale = expected.Max(Math.Abs);
        for (int i = 0; i < expected.Length; i++)
        {
            // The rounded activations are the input here, so only float32 sums of 768 or 864 terms differ.
            Assert.True(Math.Abs(expected[i] - dots[i]) <= 2e-5 * scale, $"{type}: one by one, {i}: expected {expected[i]:g9}, got {dots[i]:g9}");
            Assert.True(Math.Abs(expected[i] - panels[i]) <= 2e-5 * scale, $"{type}: as panels, {i}: expected {expected[i]:g9}, got {panels[i]:g9}");
        }
    }

    [Theory]
    [MemberData(nameof(FloatTypes))]
    public void TryCreate_FloatType_IsNull(string type)
    {
        using Sample sample = new(QuantTypes.ByName(type)!);

        Assert.Null(Int8Kernels.TryCreate(sample.View, CpuIsa.Auto));
    }

    /// <summary>A matrix of random blocks and rounded random activations.</summary>
    private sealed class Sample : IDisposable
    {
        private readonly MemoryWeights _weights = new();
        private readonly CodeCache? _code = Avx512Support.IsAvailable ? new CodeCache() : null;
        private readonly QuantizedRows _rounded, _few;
        private readonly float[][] _inputs = new float[Activations][];
        private readonly NativeBuffer _output = new((long)Activations * Rows * sizeof(float)), _values;

        /// <param name="type">Of the weights.</param>
        /// <param name="extreme">All bits of the weights set, where a scale allows it, and activations of one size: those of a row have one sign.</param>
        public Sample(QuantType type, bool extreme = false)
        {
            Columns = type.BlockLength == 256 ? 768 : 27 * 32;   // 27 blocks: no whole number of any step
            _rounded = new QuantizedRows(Activations, Columns);
            _few = new QuantizedRows(Activations, Columns, _code);
            _values = new NativeBuffer((long)Activations * Columns * sizeof(float));
            var random = new Random(11);
            byte[] bytes = new byte[type.RowBytes(Columns) * Rows];
            if (extreme) Array.Fill(bytes, (byte)0xff);
            else random.NextBytes(bytes);
            for (int block = 0; block < bytes.Length; block += type.BlockBytes)
                for (int at = 0; at < type.BlockBytes; at++)
                {
                    // Any two bytes may be a scale: no exponent is left that makes it infinite or large.
                    if (at % 2 == 1) bytes[block + at] &= 0xbb;
                }
            // The scale of MXFP4 is an exponent of its own: between 2^-8 and 2^7.
            for (int block = 0; block < bytes.Length && type == QuantTypes.MXFP4; block += type.BlockBytes) bytes[block] = (byte)(120 + random.Next(16));
            _weights.AddRaw("w", type, Rows, Columns, bytes);
            _weights.TryGet("w", out TensorView view);
            View = view;
            for (int t = 0; t < Activations; t++)
            {
                _inputs[t] = [.. Enumerable.Range(0, Columns).Select(_ => extreme ? t % 2 * 2 - 1 : random.NextSingle() * 2 - 1)];
                Round(_rounded, t, t);
                QuantizedRow x = _rounded.Row(t);
                for (int i = 0; i < Columns; i++) Values(t).Data[i] = x.Values[i] * x.Scales[i / QuantizedRows.Block];
            }
        }

        public int Columns { get; }

        public TensorView View { get; }

        /// <summary>The rounded activations in float32, from a row on.</summary>
        private Matrix Values(int row) => new((float*)_values.Address + row * Columns, Columns, Columns);

        public (float[] Dots, float[] Panels) Run(object kernel)
        {
            var own = (WeightKernel)kernel;
            LinearInput input = new(Values(0), _rounded);
            using var scratch = new NativeBuffer(own.ScratchBytes);
            float* sums = stackalloc float[Activations * WeightKernel.PanelRows];
            float[] dots = new float[Activations * Rows];
            var store = new Epilogue(new Matrix((float*)_output.Address, Rows, Rows), null, default);
            for (int begin = 0; begin < Rows; begin += WeightKernel.PanelRows)
            {
                int count = Math.Min(WeightKernel.PanelRows, Rows - begin);
                // One, two, three activation rows and so on, up to what the kernel takes at once.
                for (int first = 0, rows = 1; first < Activations; first += rows, rows = Math.Min(rows + 1, own.RowsForPanels - 1))
                {
                    rows = Math.Min(rows, Activations - first);
                    for (int t = 0; t < rows; t++) Round(_few, t, first + t);
                    own.Dot(begin, count, new LinearInput(Values(first), _few), rows, sums, (byte*)scratch.Address);
                    for (int t = 0; t < rows; t++)
                        for (int i = 0; i < count; i++) dots[(first + t) * Rows + begin + i] = sums[t * count + i];
                }
                own.Multiply(begin, count, input, 0, Activations, (byte*)scratch.Address, store);
            }
            return (dots, _output.Span<float>(0, Activations * Rows).ToArray());
        }

        public double[] Exact()
        {
            double[] products = new double[Activations * Rows];
            float[] w = new float[Columns];
            for (int r = 0; r < Rows; r++)
            {
                View.DecodeRow(r, w);
                for (int t = 0; t < Activations; t++)
                {
                    QuantizedRow x = _rounded.Row(t);
                    for (int i = 0; i < Columns; i++) products[t * Rows + r] += (double)w[i] * x.Values[i] * x.Scales[i / QuantizedRows.Block];
                }
            }
            return products;
        }

        private void Round(QuantizedRows to, int row, int input)
        {
            fixed (float* x = _inputs[input]) to.Fill(row, x, 0, Columns);
        }

        public void Dispose()
        {
            _few.Dispose();
            _code?.Dispose();
            _weights.Dispose();
            _rounded.Dispose();
            _values.Dispose();
            _output.Dispose();
        }
    }
}
