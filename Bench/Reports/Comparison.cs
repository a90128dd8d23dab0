using System.Text;
using MambaRT.Formats;
using System.Text.Json;

namespace MambaRT.Bench;

/// <summary>One measurement in two runs.</summary>
/// <param name="Backend">Where it ran.</param>
/// <param name="Mode">"prefill" or "decode".</param>
/// <param name="Threads">Threads.</param>
/// <param name="Batch">Sequences at once.</param>
/// <param name="Tokens">Length of the prompt; 0 for decode, whose length says nothing.</param>
/// <param name="First">Tokens a second of the first run.</param>
/// <param name="Second">Of the second run.</param>
public sealed record ComparedResult(string Backend, string Mode, int Threads, int Batch, int Tokens, double First, double Second)
{
    /// <summary>How many times as fast the second run is.</summary>
    public double Ratio => Second / First;
}

/// <summary>Compares two records that the bench wrote as JSON.</summary>
public static class Comparison
{
    /// <summary>Finds the measurements that both have.</summary>
    /// <param name="first">A record, as JSON.</param>
    /// <param name="second">Another.</param>
    /// <param name="firstName">What the first is called in messages.</param>
    /// <param name="secondName">What the second is called.</param>
    /// <exception cref="FormatException">One of them is no such record, or they have no measurement in common.</exception>
    public static IReadOnlyList<ComparedResult> Of(string first, string second, string firstName, string secondName)
    {
        List<ComparedResult> a = Read(first, firstName), b = Read(second, secondName);
        var compared = new List<ComparedResult>();
        foreach (ComparedResult x in a)
            foreach (ComparedResult y in b)
                if (y with { First = x.First } == x) compared.Add(x with { Second = y.First });
        return compared.Count > 0 ? compared
            : throw new FormatException($"{firstName} and {secondName} have no measurement in common: backend, mode, threads, sequences and prompt must agree. Measure both with the same options.");
    }

    /// <summary>The comparison as lines for a terminal.</summary>
    public static string Write(IReadOnlyList<ComparedResult> results)
    {
        var text = new StringBuilder().AppendLine($"{"backend",-10}{"threads",8}  {"what",-14}{"first",10}{"second",10}{"ratio",8}");
        foreach (ComparedResult r in results)
            text.AppendLine($"{Printable.Line(r.Backend, 40),-10}{r.Threads,8}  {(r.Mode == "prefill" ? $"prefill {r.Tokens}" : $"decode x {r.Batch}"),-14}{Text.Rate(r.First),10}{Text.Rate(r.Second),10}{Text.Fixed(r.Ratio, 3),8}");
        return text.ToString();
    }

    private static List<ComparedResult> Read(string json, string name)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            var results = new List<ComparedResult>();
            foreach (JsonElement r in document.RootElement.GetProperty("results").EnumerateArray())
            {
                string mode = r.GetProperty("mode").GetString() ?? "";
                double speed = r.GetProperty("tokensPerSecond").GetDouble();
                if (speed <= 0) throw new FormatException($"{name}: a measurement has {speed} tokens a second; measure again.");
                results.Add(new ComparedResult(r.GetProperty("backend").GetString() ?? "", mode, r.GetProperty("threads").GetInt32(),
                    r.GetProperty("batch").GetInt32(), mode == "prefill" ? r.GetProperty("tokens").GetInt32() : 0, speed, 0));
            }
            return results;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"{name} is not a record of 'mambart bench --json': {e.Message.Split('\n')[0]} Write one with that command.", e);
        }
    }
}
