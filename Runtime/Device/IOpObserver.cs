namespace MambaRT.Devices;

/// <summary>Looks at what each op of a plan yields: how a device is compared with another, op by op.</summary>
public interface IOpObserver
{
    /// <summary>Called after each op, in order, with the rows of its output.</summary>
    /// <param name="op">The op, of the plan that runs.</param>
    /// <param name="values">[rows, <see cref="Activation.Width"/>], copied to the host, valid during the call only; empty where the run yields no such rows.</param>
    /// <remarks>Calls come from the thread that started the run. An exception ends the run as a failure of the device does.</remarks>
    void Observe(Op op, ReadOnlySpan<float> values);
}
