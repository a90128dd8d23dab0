using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MambaRT.Formats;
using MambaRT.Runtime;

namespace MambaRT.Backends.Cpu;

/// <summary>A plan compiled to steps over one arena.</summary>
internal sealed unsafe class CpuExecutable : IExecutable
{
    private readonly CpuModel _model;
    private readonly NativeBuffer _arena;
    private readonly float[] _logits;
    private readonly Step[] _steps;
    private readonly CpuCompiler _compiled;
    private bool _disposed;

    public CpuExecutable(CpuModel model, BatchShape shape)
    {
        _model = model;
        Shape = shape;
        int capacity = Math.Max(shape.Tokens, shape.Outputs);
        _arena = new NativeBuffer((long)model.ArenaRows.FloatsPerRow * capacity * sizeof(float));
        // Not native memory: a reader of logits keeps them alive, whoever disposes the model meanwhile.
        _logits = GC.AllocateArray<float>(checked(model.Plan.VocabularySize * shape.Outputs), pinned: true);
        Rows = new BatchRows(shape);
        _compiled = new CpuCompiler(model, Rows, (float*)_arena.Address, (float*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_logits)), capacity);
        _steps = _compiled.Steps;
        model.ScratchBytes += ScratchBytes;
    }

    public BatchShape Shape { get; }

    /// <summary>The present batch, read by the steps.</summary>
    public BatchRows Rows { get; }

    private long ScratchBytes => _arena.Bytes + (long)_logits.Length * sizeof(float) + _compiled.ScratchBytes;

    public ReadOnlySpan<float> Run(scoped Batch batch, CancellationToken cancel = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int outputs = batch.Validate(Shape, _model.Plan.VocabularySize, _model.Slots);
        _model.EnsureReadable();
        Rows.Set(batch, outputs);
        _model.Team.Run(_steps, cancel);
        return _logits.AsSpan(0, outputs * _model.Plan.VocabularySize);
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _model.ScratchBytes -= ScratchBytes;
        _arena.Dispose();
        _compiled.Dispose();
    }
}

/// <summary>The batch that is being run: its rows, sequences and outputs.</summary>
internal sealed class BatchRows(BatchShape shape)
{
    private readonly int[] _tokens = new int[shape.Tokens];
    private readonly SequenceSpan[] _spans = new SequenceSpan[shape.Sequences];
    private int _sequences;

    /// <summary>Rows fed.</summary>
    public int Tokens { get; private set; }

    /// <summary>Rows of logits wanted.</summary>
    public int Outputs { get; private set; }

    public ReadOnlySpan<SequenceSpan> Spans => _spans.AsSpan(0, _sequences);

    public int Token(int row) => _tokens[row];

    public int Count(RowDomain domain) => domain == RowDomain.Tokens ? Tokens : Outputs;

    public void Set(in Batch batch, int outputs)
    {
        batch.Tokens.CopyTo(_tokens);
        batch.Sequences.CopyTo(_spans);
        _sequences = batch.Sequences.Length;
        Tokens = batch.Tokens.Length;
        Outputs = outputs;
    }
}
