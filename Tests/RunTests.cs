using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace MambaRT.Tests;

/// <summary>
/// Runs tests where there is no SDK, such as a lent GPU machine: <c>dotnet publish Tests --self-contained</c> makes a folder that needs nothing, and
/// <c>MambaRT.Tests WORD...</c> in it runs the tests whose name holds every word ("!x": does not hold x; "a|b": either). A word such as "2/4" leaves the
/// second of four parts of them, for as many processes side by side.
/// </summary>
internal static class RunTests
{
    private const int Passed = 0, Failed = 1, NothingRan = 2;

    private static int Main(string[] words)
    {
        var clock = Stopwatch.StartNew();
        using var framework = new XunitTestFramework(new Nowhere());
        IReflectionAssemblyInfo assembly = Reflector.Wrap(typeof(RunTests).Assembly);
        var found = new Found();
        using ITestFrameworkDiscoverer discoverer = framework.GetDiscoverer(assembly);
        discoverer.Find(includeSourceInformation: false, found, new Options());
        found.Done.WaitOne();
        using ITestFrameworkExecutor executor = framework.GetExecutor(typeof(RunTests).Assembly.GetName());
        var results = new Results();
        ITestCase[] cases = [.. found.Cases.Where(test => Array.TrueForAll(words, word => IsPart(word, out _, out _) || Holds(test.DisplayName, word)))];
        foreach (string word in words)
            if (IsPart(word, out int part, out int parts)) cases = [.. cases.Where((_, i) => i % parts == part - 1)];   // every N-th one, because neighbours take about as long
        executor.RunTests(cases, results, new Options());
        results.Done.WaitOne();
        Console.WriteLine($"{results.Passed} passed, {results.Failed} failed, {results.Skipped} skipped in {clock.Elapsed.TotalSeconds:f1} s");
        return results.Failed > 0 ? Failed : results.Passed == 0 ? NothingRan : Passed;
    }

    private static bool Holds(string name, string word) =>
        word.StartsWith('!') ? !name.Contains(word[1..], StringComparison.Ordinal) : Array.Exists(word.Split('|'), part => name.Contains(part, StringComparison.Ordinal));

    private static bool IsPart(string word, out int part, out int parts)
    {
        parts = 0;
        string[] sides = word.Split('/');
        return int.TryParse(sides[0], NumberStyles.None, CultureInfo.InvariantCulture, out part) && sides.Length == 2
            && int.TryParse(sides[1], NumberStyles.None, CultureInfo.InvariantCulture, out parts) && part >= 1 && part <= parts;
    }

    private sealed class Nowhere : Xunit.LongLivedMarshalByRefObject, IMessageSink
    {
        public bool OnMessage(IMessageSinkMessage message) => true;
    }

    private abstract class Sink : Xunit.LongLivedMarshalByRefObject, IMessageSink
    {
        public ManualResetEvent Done { get; } = new(false);

        public abstract bool OnMessage(IMessageSinkMessage message);
    }

    private sealed class Found : Sink
    {
        public List<ITestCase> Cases { get; } = [];

        public override bool OnMessage(IMessageSinkMessage message)
        {
            if (message is ITestCaseDiscoveryMessage test) Cases.Add(test.TestCase);
            if (message is IDiscoveryCompleteMessage) Done.Set();
            return true;
        }
    }

    private sealed class Results : Sink
    {
        /// <summary>Tests are named that take as many seconds.</summary>
        private const int Slow = 10;

        public int Passed { get; private set; }

        public int Failed { get; private set; }

        public int Skipped { get; private set; }

        public override bool OnMessage(IMessageSinkMessage message)
        {
            switch (message)
            {
                case ITestPassed passed: Pass(passed); break;
                case ITestSkipped skipped: Skipped++; Console.WriteLine($"skipped {skipped.Test.DisplayName}: {skipped.Reason}"); break;
                case ITestFailed failed: Fail(failed.Test.DisplayName, failed); break;
                // Of a fixture, a class or the whole assembly.
                case IFailureInformation failure: Fail(message.GetType().Name, failure); break;
                case ITestAssemblyFinished: Done.Set(); break;
            }
            return true;
        }

        private void Pass(ITestPassed test)
        {
            Passed++;
            if (test.ExecutionTime >= Slow) Console.WriteLine($"took {test.ExecutionTime:f0} s: {test.Test.DisplayName}");
        }

        private void Fail(string what, IFailureInformation failure)
        {
            Failed++;
            Console.WriteLine($"FAILED {what}: {failure.ExceptionTypes[0]}: {failure.Messages[0]}\n{failure.StackTraces[0]}");
        }
    }

    /// <summary>One test after the other: timings and memory limits of one are not another's.</summary>
    private sealed class Options : ITestFrameworkDiscoveryOptions, ITestFrameworkExecutionOptions
    {
        private readonly Dictionary<string, object?> _values = new() { ["xunit.execution.DisableParallelization"] = true, ["xunit.discovery.PreEnumerateTheories"] = true };

        public TValue? GetValue<TValue>(string name) => _values.TryGetValue(name, out object? value) ? (TValue?)value : default;

        public void SetValue<TValue>(string name, TValue value) => _values[name] = value;
    }
}
