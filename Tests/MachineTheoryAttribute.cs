using Xunit;

namespace MambaRT.Tests;

/// <summary>A theory that needs something of the machine; one skipped case, with the reason shown, where that is missing.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MachineTheoryAttribute : TheoryAttribute
{
    public MachineTheoryAttribute(Needs needs) => Skip = Machine.Lacks(needs);
}
