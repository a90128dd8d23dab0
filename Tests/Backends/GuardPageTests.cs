using MambaRT.Backends.Cpu;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>
/// Nothing past a matrix is read: weights are used where a file is mapped, and its last one may end with a page. Each is put between two pages that nobody
/// may touch; a read beyond it ends the test process.
/// </summary>
public sealed unsafe class GuardPageTests
{
    /// <summary>One activation row, those that are multiplied directly, those from which panels pay, and tiles of six with a rest.</summary>
    private static readonly int[] Activations = [1, 2, 3, 4, 5, 8, 9, 13];

    public static TheoryData<string> Types => [.. QuantTypes.All.Select(t => t.Name)];

    public static TheoryData<string, string> Models => Paired(MicroModels.Names);

    public static TheoryData<string, string> TinyArchitectures => Paired(TinyModels.Names);

    [MachineTheory(Needs.Linux)]
    [MemberData(nameof(Types))]
    public void Products_MatrixBetweenGuardPages_ReadNothingElse(string name)
    {
        QuantType type = QuantTypes.ByName(name)!;
        foreach (int columns in type.BlockLength switch { 1 => (int[])[1, 3, 7, 8, 13, 16, 24, 31, 33, 48, 64, 100, 256, 257], 32 => [32, 64, 96, 128, 160, 224, 256, 288, 864], _ => [256, 512, 768] })
            foreach (int rows in (int[])[1, 2, 3, 15, 16, 17, 33, 70])
                foreach (Guard side in Enum.GetValues<Guard>()) Multiply(type, rows, columns, side);
    }

    [MachineTheory(Needs.Linux)]
    [MemberData(nameof(Models))]
    public void Model_EveryTensorBetweenGuardPages_ReadsNothingElse(string backend, string name)
    {
        using var folder = new TemporaryFolder();
        using GgufFile file = MicroModels.OpenFile(name, folder);
        Run(file.Metadata, file, [.. file.Tensors.Select(t => t.Name)], backend);
    }

    [MachineTheory(Needs.Linux)]
    [MemberData(nameof(TinyArchitectures))]
    public void Architecture_EveryTensorBetweenGuardPages_ReadsNothingElse(string backend, string name)
    {
        using TinyWeights tiny = TinyModels.Make(name, QuantTypes.Q8_0);
        Run(tiny.Metadata, tiny.Weights, [.. TinyModels.Tensors(name).Select(t => t.Name)], backend);
    }

    private static void Run(GgufMetadata metadata, IWeightSource source, IReadOnlyList<string> names, string backendName)
    {
        foreach (Guard side in Enum.GetValues<Guard>())
        {
            using var weights = new GuardedWeights(source, names, side);
            using var backend = TestBackends.Create(backendName);
            using Model model = Model.Open(metadata, weights, backend);
            using Session session = model.StartSession();
            int next = 0;
            foreach (int count in (int[])[1, 70, 2, 4, 9])
                Assert.False(session.Feed([.. Enumerable.Range(next, count).Select(i => i % 90)]).IsEmpty);
        }
    }

    private static void Multiply(QuantType type, int rows, int columns, Guard side)
    {
        byte[] bytes = new byte[type.RowBytes(columns) * rows];
        new Random(3).NextBytes(bytes);
        using var memory = new GuardedMemory(bytes, side);
        var view = new TensorView(type, rows, columns, memory.Address, memory);
        float[] decoded = new float[columns];
        for (int row = 0; row < rows; row++) view.DecodeRow(row, decoded);
        view.AreFinite(0, rows);
        using CodeCache? code = Avx512Support.IsAvailable ? new CodeCache() : null;
        using QuantizedRows? rounded = columns % QuantizedRows.Block == 0 ? new QuantizedRows(Activations[^1], columns, code) : null;
        using var values = new NativeBuffer((long)Activations[^1] * columns * sizeof(float));
        if (rounded is not null)
            for (int row = 0; row < Activations[^1]; row++) rounded.Fill(row, (float*)values.Address + row * columns, 0, columns);
        foreach (WeightKernel kernel in Kernels(view, code)) Multiply(kernel, new Matrix((float*)values.Address, columns, columns), rounded);
    }

    /// <summary>Every kernel that may be given the matrix on some machine that runs this processor's instructions.</summary>
    private static IEnumerable<WeightKernel> Kernels(TensorView view, CodeCache? code)
    {
        if (code is not null) yield return WeightKernel.For(view, CpuIsa.Auto, code);
        yield return WeightKernel.For(view, CpuIsa.AvxVnni, null);
        yield return WeightKernel.For(view, CpuIsa.Avx2, null);
        if (Int8Kernels.Create<PortableDot>(view) is WeightKernel portable) yield return portable;
        yield return new DecodingKernel(view);
    }

    private static void Multiply(WeightKernel kernel, Matrix x, QuantizedRows? rounded)
    {
        using var scratch = new NativeBuffer(kernel.ScratchBytes);
        using var y = new NativeBuffer((long)Activations[^1] * kernel.Rows * sizeof(float));
        var store = new Epilogue(new Matrix((float*)y.Address, kernel.Rows, kernel.Rows), null, default);
        var input = new LinearInput(x, rounded);
        foreach (int count in Activations)
        {
            if (count < kernel.RowsForPanels) kernel.Dot(0, kernel.Rows, input, count, (float*)y.Address, (byte*)scratch.Address);
            int together = WeightKernel.PanelRows * kernel.PanelsTogether;
            for (int begin = 0; begin < kernel.Rows; begin += together)
                kernel.Multiply(begin, Math.Min(together, kernel.Rows - begin), input, 0, count, (byte*)scratch.Address, store);
        }
    }

    private static TheoryData<string, string> Paired(IEnumerable<string> items)
    {
        var rows = new TheoryData<string, string>();
        foreach (string item in items)
            foreach (string backend in TestBackends.OfTheProcessor) rows.Add(backend, item);
        return rows;
    }
}
