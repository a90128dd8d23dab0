using Xunit;

namespace MambaRT.Tests;

/// <summary>A test that runs only where an environment variable is set, and is listed as skipped elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LongFactAttribute : FactAttribute
{
    public LongFactAttribute(string variable = "MAMBART_LONG", string value = "1")
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)))
            Skip = $"Runs where {variable} is set: {variable}={value}.";
    }
}
