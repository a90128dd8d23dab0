namespace MambaRT.Cli;

/// <summary>Hands on the share of tensors done, on the thread that does them.</summary>
internal sealed class TensorProgress(Action<double> report) : IProgress<(int Done, int Total, string Tensor)>
{
    public void Report((int Done, int Total, string Tensor) value) => report((double)value.Done / value.Total);
}
