using Xunit;

namespace MambaRT.Tests;

/// <summary>A test that needs something of the machine; skipped, with the reason shown, where that is missing.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MachineFactAttribute : FactAttribute
{
    public MachineFactAttribute(Needs needs) => Skip = Machine.Lacks(needs);
}
