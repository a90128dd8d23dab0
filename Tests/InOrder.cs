using Xunit.Abstractions;
using Xunit.Sdk;

namespace MambaRT.Tests;

/// <summary>Runs the tests of a class in the order of what they are given, the last of that first, and not shuffled, so that neighbours find what a kept device has made already (<see cref="KeptBackends"/>).</summary>
internal sealed class InOrder : ITestCaseOrderer
{
    /// <summary>Its name, as xunit asks for it.</summary>
    public const string Name = "MambaRT.Tests.InOrder", Assembly = "MambaRT.Tests";

    public IEnumerable<TTestCase> OrderTestCases<TTestCase>(IEnumerable<TTestCase> testCases) where TTestCase : ITestCase =>
        testCases.OrderBy(test => string.Join(' ', (test.TestMethodArguments ?? []).Reverse()), StringComparer.Ordinal);
}
