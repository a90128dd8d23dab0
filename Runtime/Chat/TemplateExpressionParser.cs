using System.Globalization;

namespace MambaRT.Chat;

/// <summary>Reads expressions from tokens. Source of the grammar and its precedence: Jinja 3.1, parser.py.</summary>
/// <param name="tokens">The tokens of a template, the last of them the end.</param>
internal abstract class TemplateExpressionParser(List<TemplateToken> tokens) : TemplateTokenReader(tokens)
{
    /// <summary>Reads an expression, or several with commas between, which are a list.</summary>
    protected TemplateExpression ParseTuple()
    {
        var first = ParseExpression();
        if (!Is(TemplateTokenKind.Operator, ",")) return first;
        var items = new List<TemplateExpression> { first };
        while (Accept(TemplateTokenKind.Operator, ","))
        {
            if (Is(TemplateTokenKind.Operator, ")") || Is(TemplateTokenKind.OutputEnd) || Is(TemplateTokenKind.BlockEnd)) break;
            items.Add(ParseExpression());
        }

        return new ListExpression(first.Line, items, isTuple: true);
    }

    /// <summary>Reads an expression with its inline if.</summary>
    protected TemplateExpression ParseExpression()
    {
        Enter();
        var value = ParseOr();
        while (Accept(TemplateTokenKind.Name, "if"))
        {
            var condition = ParseOr();
            var no = Accept(TemplateTokenKind.Name, "else") ? ParseExpression() : null;
            value = new ConditionalExpression(value.Line, condition, value, no);
        }

        Leave();
        return value;
    }

    /// <summary>Reads an expression without an inline if, as the source of a loop is.</summary>
    protected TemplateExpression ParseOr()
    {
        var left = ParseAnd();
        while (Accept(TemplateTokenKind.Name, "or")) left = new LogicExpression(left.Line, false, left, ParseAnd());
        return left;
    }

    private TemplateExpression ParseAnd()
    {
        var left = ParseNot();
        while (Accept(TemplateTokenKind.Name, "and")) left = new LogicExpression(left.Line, true, left, ParseNot());
        return left;
    }

    private TemplateExpression ParseNot()
    {
        var line = Current.Line;
        if (!Accept(TemplateTokenKind.Name, "not")) return ParseCompare();
        Enter();
        var operand = ParseNot();
        Leave();
        return new UnaryExpression(line, "not", operand);
    }

    private TemplateExpression ParseCompare()
    {
        var left = ParseSum();
        var op = CompareOperator();
        if (op is null) return left;
        var links = new List<(string, TemplateExpression)>();
        for (; op is not null; op = CompareOperator()) links.Add((op, ParseSum()));
        return links.Count == 1 ? new BinaryExpression(left.Line, op: links[0].Item1, left, links[0].Item2) : new CompareExpression(left.Line, left, links);
    }

    private string? CompareOperator()
    {
        if (Current is { Kind: TemplateTokenKind.Operator, Value: "==" or "!=" or "<" or "<=" or ">" or ">=" }) return Take().Value;
        if (Accept(TemplateTokenKind.Name, "in")) return "in";
        if (!Is(TemplateTokenKind.Name, "not") || Following is not { Kind: TemplateTokenKind.Name, Value: "in" }) return null;
        Take();
        Take();
        return "not in";
    }

    private TemplateExpression ParseSum()
    {
        var left = ParseConcat();
        while (Is(TemplateTokenKind.Operator, "+") || Is(TemplateTokenKind.Operator, "-"))
        {
            var op = Take();
            left = new BinaryExpression(op.Line, op.Value, left, ParseConcat());
        }

        return left;
    }

    private TemplateExpression ParseConcat()
    {
        var left = ParseProduct();
        while (Is(TemplateTokenKind.Operator, "~")) left = new BinaryExpression(Take().Line, "~", left, ParseProduct());
        return left;
    }

    private TemplateExpression ParseProduct()
    {
        var left = ParsePower();
        while (Current is { Kind: TemplateTokenKind.Operator, Value: "*" or "/" or "//" or "%" })
        {
            var op = Take();
            left = new BinaryExpression(op.Line, op.Value, left, ParsePower());
        }

        return left;
    }

    private TemplateExpression ParsePower()
    {
        var left = ParseUnary(true);
        while (Is(TemplateTokenKind.Operator, "**")) left = new BinaryExpression(Take().Line, "**", left, ParseUnary(true));
        return left;
    }

    private TemplateExpression ParseUnary(bool filters)
    {
        TemplateExpression value;
        if (Is(TemplateTokenKind.Operator, "-") || Is(TemplateTokenKind.Operator, "+"))
        {
            var op = Take();
            Enter();
            value = new UnaryExpression(op.Line, op.Value, ParseUnary(false));
            Leave();
        }
        else
        {
            value = ParsePostfix(ParsePrimary());
        }

        return filters ? ParseFilters(value) : value;
    }

    private TemplateExpression ParsePrimary()
    {
        var token = Take();
        switch (token.Kind)
        {
            case TemplateTokenKind.Name:
                return ParseName(token);
            case TemplateTokenKind.String:
                var parts = new List<string> { token.Value };
                while (Is(TemplateTokenKind.String)) parts.Add(Take().Value);
                return new LiteralExpression(token.Line, string.Concat(parts));
            case TemplateTokenKind.Integer:
                return new LiteralExpression(token.Line, Integer(token));
            case TemplateTokenKind.Float:
                return new LiteralExpression(token.Line, double.Parse(token.Value.Replace("_", "", StringComparison.Ordinal), CultureInfo.InvariantCulture));
            case TemplateTokenKind.Operator when token.Value == "(":
                if (Accept(TemplateTokenKind.Operator, ")")) return new ListExpression(token.Line, [], isTuple: true);
                var inner = ParseTuple();
                Expect(TemplateTokenKind.Operator, "')'", ")");
                return inner;
            case TemplateTokenKind.Operator when token.Value == "[":
                return new ListExpression(token.Line, ParseItems("]", ParseExpression), isTuple: false);
            case TemplateTokenKind.Operator when token.Value == "{":
                return new MapExpression(token.Line, ParseItems("}", ParsePair));
            default:
                throw TemplateToken.Error(token.Line, $"a value is needed; found {token}.");
        }
    }

    private static long Integer(TemplateToken token)
    {
        var digits = token.Value.Replace("_", "", StringComparison.Ordinal);
        var radix = digits.Length < 2 ? 10 : char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 };
        long value = 0;
        foreach (var digit in radix == 10 ? digits : digits[2..])
        {
            var next = char.IsAsciiDigit(digit) ? digit - '0' : (digit | ' ') - 'a' + 10;
            if (value > (long.MaxValue - next) / radix) throw TemplateToken.Error(token.Line, $"the integer {token.Value} does not fit 64 bits.");
            value = value * radix + next;
        }

        return value;
    }

    private static TemplateExpression ParseName(TemplateToken token) => token.Value switch
    {
        "true" or "True" => new LiteralExpression(token.Line, true),
        "false" or "False" => new LiteralExpression(token.Line, false),
        "none" or "None" => new LiteralExpression(token.Line, null),
        "if" or "else" or "and" or "or" or "in" or "is" =>
            throw TemplateToken.Error(token.Line, $"a value is needed; found {token}."),
        _ => new NameExpression(token.Line, token.Value),
    };

    private (TemplateExpression Key, TemplateExpression Value) ParsePair()
    {
        var key = ParseExpression();
        Expect(TemplateTokenKind.Operator, "':'", ":");
        return (key, ParseExpression());
    }

    private List<T> ParseItems<T>(string close, Func<T> parse)
    {
        var items = new List<T>();
        while (!Accept(TemplateTokenKind.Operator, close))
        {
            items.Add(parse());
            if (!Is(TemplateTokenKind.Operator, close)) Expect(TemplateTokenKind.Operator, $"',' or '{close}'", ",");
        }

        return items;
    }

    private TemplateExpression ParsePostfix(TemplateExpression value)
    {
        while (true)
        {
            var line = Current.Line;
            if (Accept(TemplateTokenKind.Operator, "."))
            {
                value = new MemberExpression(line, value, ParseAttribute(line));
            }
            else if (Accept(TemplateTokenKind.Operator, "["))
            {
                value = ParseSubscript(value, line);
            }
            else if (Accept(TemplateTokenKind.Operator, "("))
            {
                value = new CallExpression(line, value, ParseArguments());
            }
            else
            {
                return value;
            }
        }
    }

    private LiteralExpression ParseAttribute(int line) => Is(TemplateTokenKind.Integer) && ParsePrimary() is LiteralExpression index
        ? index
        : new LiteralExpression(line, Expect(TemplateTokenKind.Name, "a name after '.'").Value);

    private TemplateExpression ParseSubscript(TemplateExpression value, int line)
    {
        var bounds = new TemplateExpression?[3];
        var colons = 0;
        while (!Accept(TemplateTokenKind.Operator, "]"))
        {
            if (Accept(TemplateTokenKind.Operator, ":"))
            {
                if (++colons > 2) throw TemplateToken.Error(line, "a slice has at most three parts.");
            }
            else if (bounds[colons] is null)
            {
                bounds[colons] = ParseExpression();
            }
            else
            {
                throw TemplateToken.Error(Current.Line, $"']' is needed; found {Current}.");
            }
        }

        if (colons > 0) return new SliceExpression(line, value, bounds[0], bounds[1], bounds[2]);
        return new MemberExpression(line, value, bounds[0] ?? throw TemplateToken.Error(line, "an index is needed between '[' and ']'."));
    }

    private TemplateArguments ParseArguments()
    {
        var named = new List<(string, TemplateExpression)>();
        var positional = new List<TemplateExpression>();
        while (!Accept(TemplateTokenKind.Operator, ")"))
        {
            if (Current.Kind == TemplateTokenKind.Name && Following is { Kind: TemplateTokenKind.Operator, Value: "=" })
            {
                var name = Take().Value;
                Take();
                named.Add((name, ParseExpression()));
            }
            else
            {
                positional.Add(ParseExpression());
            }

            if (!Is(TemplateTokenKind.Operator, ")")) Expect(TemplateTokenKind.Operator, "',' or ')'", ",");
        }

        return new TemplateArguments(positional, named);
    }

    /// <summary>Reads a filter's arguments, behind its name.</summary>
    protected FilterExpression ParseFilter(TemplateExpression value, string name, int line) =>
        new(line, name, value, Accept(TemplateTokenKind.Operator, "(") ? ParseArguments() : TemplateArguments.None);

    /// <summary>Reads the filters and tests behind a value.</summary>
    protected TemplateExpression ParseFilters(TemplateExpression value)
    {
        while (true)
        {
            var line = Current.Line;
            if (Accept(TemplateTokenKind.Operator, "|"))
            {
                var name = Expect(TemplateTokenKind.Name, "the name of a filter").Value;
                value = ParseFilter(value, name, line);
            }
            else if (Accept(TemplateTokenKind.Name, "is"))
            {
                value = ParseTest(value, line);
            }
            else
            {
                return value;
            }
        }
    }

    private TestExpression ParseTest(TemplateExpression value, int line)
    {
        var negated = Accept(TemplateTokenKind.Name, "not");
        var name = Expect(TemplateTokenKind.Name, "the name of a test").Value;
        var takes = TemplateTests.TakesArgument(name) || (!TemplateTests.Exists(name) && Is(TemplateTokenKind.Operator, "("));
        var argument = takes ? ParsePostfix(ParsePrimary()) : null;
        return new TestExpression(line, name, negated, value, argument);
    }
}
