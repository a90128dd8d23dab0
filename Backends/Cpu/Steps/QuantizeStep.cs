namespace MambaRT.Backends.Cpu;

/// <summary>Rows that no earlier step can quantize: the window of a projection's output that another projection reads.</summary>
internal sealed unsafe class QuantizeStep(BatchRows rows, RowDomain domain, Matrix x, QuantizedRows target) : Step
{
    public override int Units => rows.Count(domain);

    public override void Run(int unit, int member) => target.Fill(unit, 1, x, 0, x.Width);
}
