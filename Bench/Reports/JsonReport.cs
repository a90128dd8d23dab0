using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace MambaRT.Bench;

/// <summary>A run as one JSON object.</summary>
public static class JsonReport
{
    /// <summary>Writes the object, without a line break at its end.</summary>
    public static string Write(RunRecord run)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("version", run.Version);
            WriteSettings(json, run.Settings);
            WriteMachine(json, run.Machine);
            WriteModel(json, run.Model);
            json.WriteStartArray("checks");
            foreach (CheckRecord check in run.Checks) WriteCheck(json, check);
            json.WriteEndArray();
            json.WriteStartArray("results");
            foreach (ResultRecord result in run.Results) WriteResult(json, result);
            json.WriteEndArray();
            WriteCurve(json, run.Curve);
            json.WriteStartArray("failures");
            foreach (string failure in run.Failures) json.WriteStringValue(failure);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>The mode as the object has it.</summary>
    internal static string ModeName(BenchMode mode) => mode == BenchMode.Prefill ? "prefill" : "decode";

    private static void WriteSettings(Utf8JsonWriter json, SettingsRecord settings)
    {
        json.WriteStartObject("settings");
        json.WriteNumber("budgetSeconds", settings.BudgetSeconds);
        json.WriteNumber("chunkTokens", settings.ChunkTokens);
        if (settings.Cores is not null)
        {
            json.WriteStartArray("cores");
            foreach (int core in settings.Cores) json.WriteNumberValue(core);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void WriteMachine(Utf8JsonWriter json, MachineRecord machine)
    {
        json.WriteStartObject("machine");
        json.WriteString("cpu", machine.Cpu);
        json.WriteString("isa", machine.Isa);
        json.WriteNumber("cores", machine.Cores);
        WriteByThreads(json, "readGBs", machine.ReadGBs);
        WriteByThreads(json, "int8Gops", machine.Int8Gops);
        WriteByThreads(json, "fp32Gflops", machine.Fp32Gflops);
        json.WriteStartArray("devices");
        foreach (DeviceRecord device in machine.Devices)
        {
            json.WriteStartObject();
            json.WriteString("backend", device.Backend);
            json.WriteString("name", device.Name);
            Number(json, "readGBs", device.ReadGBs, 1);
            Number(json, "halfGflops", device.HalfGflops, 1);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByThreads(Utf8JsonWriter json, string name, IReadOnlyDictionary<int, double> values)
    {
        json.WriteStartObject(name);
        foreach ((int threads, double value) in values) Number(json, threads.ToString(CultureInfo.InvariantCulture), value, 1);
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, ModelRecord model)
    {
        json.WriteStartObject("model");
        json.WriteString("name", model.Name);
        json.WriteString("architecture", model.Architecture);
        json.WriteString("type", model.Type);
        json.WriteNumber("parameters", model.Parameters);
        json.WriteNumber("fileBytes", model.FileBytes);
        json.WriteNumber("weightBytes", model.WeightBytes);
        json.WriteNumber("stateBytes", model.StateBytes);
        json.WriteNumber("sessionsPerGiB", model.SessionsPerGiB);
        json.WriteEndObject();
    }

    private static void WriteCheck(Utf8JsonWriter json, CheckRecord check)
    {
        json.WriteStartObject();
        json.WriteString("backend", check.Backend);
        json.WriteNumber("threads", check.Threads);
        json.WriteNumber("tokens", check.Tokens);
        Number(json, "nmse", check.Nmse, 15);
        json.WriteNumber("bound", check.Bound);
        json.WriteBoolean("passed", check.Passed);
        json.WriteEndObject();
    }

    private static void WriteResult(Utf8JsonWriter json, ResultRecord r)
    {
        json.WriteStartObject();
        json.WriteString("backend", r.Backend);
        json.WriteString("codePath", r.CodePath);
        json.WriteString("mode", ModeName(r.Mode));
        json.WriteNumber("threads", r.Threads);
        json.WriteNumber("batch", r.Batch);
        json.WriteNumber("tokens", r.Tokens);
        json.WriteNumber("repetitions", r.Repetitions);
        Number(json, "tokensPerSecond", r.TokensPerSecond, 3);
        Number(json, "spread", r.Spread, 4);
        Number(json, "gigabytesPerSecond", r.GigabytesPerSecond, 3);
        Number(json, "gops", r.Gops, 3);
        Number(json, "shareOfPeak", r.ShareOfPeak, 4);
        if (r.TimeShare is TimeShares share)
        {
            json.WriteStartObject("timeShare");
            Number(json, "linear", share.Linear, 4);
            Number(json, "conv", share.Conv, 4);
            Number(json, "scan", share.Scan, 4);
            Number(json, "norm", share.Norm, 4);
            Number(json, "other", share.Other, 4);
            json.WriteEndObject();
        }
        json.WriteNumber("peakMemoryBytes", r.PeakMemoryBytes);
        json.WriteNumber("heldBytes", r.HeldBytes);
        Number(json, "loadMs", r.LoadMs, 3);
        Number(json, "timeToFirstTokenMs", r.TimeToFirstTokenMs, 3);
        json.WriteEndObject();
    }

    private static void WriteCurve(Utf8JsonWriter json, CurveRecord? curve)
    {
        if (curve is null) return;
        json.WriteStartObject("curve");
        json.WriteString("backend", curve.Backend);
        json.WriteNumber("threads", curve.Threads);
        Number(json, "timeRatio", curve.TimeRatio, 4);
        json.WriteNumber("memoryGrowthBytes", curve.Growth);
        json.WriteStartArray("points");
        foreach (CurvePoint point in curve.Points)
        {
            json.WriteStartObject();
            json.WriteNumber("token", point.Token);
            Number(json, "msPerToken", point.MsPerToken, 4);
            json.WriteNumber("memoryBytes", point.MemoryBytes);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Rounded to what the measurement is worth; null for what JSON has no number for.</summary>
    private static void Number(Utf8JsonWriter json, string name, double value, int decimals)
    {
        if (double.IsFinite(value)) json.WriteNumber(name, Math.Round(value, decimals));
        else json.WriteNull(name);
    }
}
