namespace MambaRT.Backends.Cpu;

/// <summary>The steps that an op became.</summary>
/// <param name="op">The op.</param>
/// <param name="from">The first of them.</param>
/// <param name="end">Behind the last.</param>
/// <param name="output">Where they leave the op's output.</param>
internal readonly struct OpSteps(Op op, int from, int end, Matrix output)
{
    public int End => end;

    /// <summary>Runs them alone and shows the output.</summary>
    public unsafe void Run(ITeam team, Step[] steps, BatchRows rows, IOpObserver observer, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        team.Run(steps[from..end], cancel);
        float[] values = new float[rows.Count(op.Output.Rows) * output.Width];
        for (int row = 0; row < values.Length / output.Width; row++)
            new ReadOnlySpan<float>(output.Row(row), output.Width).CopyTo(values.AsSpan(row * output.Width));
        observer.Observe(op, values);
    }
}
