namespace MambaRT.Chat;

/// <summary>Reads the statements of a chat template.</summary>
internal sealed class TemplateParser : TemplateExpressionParser
{
    private int _loops;
    private HashSet<string>? _ends;   // the statements that close blocks, wherever they stand

    private TemplateParser(List<TemplateToken> tokens)
        : base(tokens)
    {
    }

    /// <summary>Reads a template.</summary>
    /// <exception cref="FormatException">The template is malformed or uses what is not supported; the message names the line.</exception>
    public static List<TemplateStatement> Parse(string template)
    {
        var parser = new TemplateParser(TemplateLexer.Lex(template));
        var body = parser.ParseBody();
        if (parser.Current.Kind == TemplateTokenKind.End) return body;
        var tag = parser.Take();
        throw TemplateToken.Error(tag.Line, $"'{tag.Value}' closes or continues nothing here.");
    }

    /// <summary>Reads statements up to the end, or to behind the start of a tag that closes or continues the block around them.</summary>
    private List<TemplateStatement> ParseBody()
    {
        Enter();
        var body = new List<TemplateStatement>();
        while (true)
        {
            var token = Current;
            if (token.Kind == TemplateTokenKind.End) break;
            Take();
            if (token.Kind == TemplateTokenKind.Text)
            {
                body.Add(new TextStatement(token.Line, token.Value));
            }
            else if (token.Kind == TemplateTokenKind.OutputStart)
            {
                body.Add(new OutputStatement(token.Line, ParseTuple()));
                Expect(TemplateTokenKind.OutputEnd, "'}}'");
            }
            else if (Is(TemplateTokenKind.Name) && (Current.Value is "elif" or "else" || Current.Value.StartsWith("end", StringComparison.Ordinal)))
            {
                break;
            }
            else
            {
                body.Add(ParseStatement(token.Line));
            }
        }

        Leave();
        return body;
    }

    private TemplateStatement ParseStatement(int line)
    {
        var name = Expect(TemplateTokenKind.Name, "the name of a statement").Value;
        switch (name)
        {
            case "if":
                return ParseIf(line);
            case "for":
                return ParseFor(line);
            case "set":
                return ParseSet(line);
            case "generation":
                CloseTag();
                return new GroupStatement(line, ParseUntil("generation", line));
            case "macro":
                return ParseMacro(line);
            case "call":
                return ParseCall(line);
            case "filter":
                var text = new List<TemplateStatement>();
                var start = ParseFilter(new BodyExpression(line, text), Expect(TemplateTokenKind.Name, "the name of a filter").Value, line);
                var filtered = ParseFilters(start);
                CloseTag();
                text.AddRange(ParseUntil("filter", line));
                return new OutputStatement(line, filtered);
            case "do":
                var done = new DoStatement(line, ParseTuple());
                CloseTag();
                return done;
            case "with":
                return ParseWith(line);
            case "autoescape":
                var escapes = ParseExpression();
                CloseTag();
                return new AutoescapeStatement(line, escapes, ParseUntil("autoescape", line));
            case "break" or "continue":
                if (_loops == 0) throw TemplateToken.Error(line, $"'{name}' stands outside a loop.");
                CloseTag();
                return new JumpStatement(line, name == "break" ? TemplateFlow.Break : TemplateFlow.Continue);
            default:
                return ParseUnknown(name, line);
        }
    }

    private MacroStatement ParseMacro(int line)
    {
        var name = Expect(TemplateTokenKind.Name, "the name of a macro").Value;
        Expect(TemplateTokenKind.Operator, "'('", "(");
        var parameters = ParseParameters();
        CloseTag();
        return new MacroStatement(line, name, parameters, ParseUntil("macro", line));
    }

    private CallStatement ParseCall(int line)
    {
        var parameters = Accept(TemplateTokenKind.Operator, "(") ? ParseParameters() : new TemplateParameters([], []);
        if (ParseExpression() is not CallExpression call) throw TemplateToken.Error(line, "the block 'call' needs the call of a macro.");
        CloseTag();
        return new CallStatement(line, call, parameters, ParseUntil("call", line));
    }

    private TemplateParameters ParseParameters()
    {
        var parameters = new TemplateParameters([], []);
        while (!Accept(TemplateTokenKind.Operator, ")"))
        {
            parameters.Names.Add(Expect(TemplateTokenKind.Name, "the name of a parameter").Value);
            parameters.Defaults.Add(Accept(TemplateTokenKind.Operator, "=") ? ParseExpression() : null);
            if (!Is(TemplateTokenKind.Operator, ")")) Expect(TemplateTokenKind.Operator, "',' or ')'", ",");
        }

        return parameters;
    }

    private WithStatement ParseWith(int line)
    {
        var variables = new List<(string, TemplateExpression)>();
        while (!Is(TemplateTokenKind.BlockEnd))
        {
            if (variables.Count > 0) Expect(TemplateTokenKind.Operator, "','", ",");
            var name = Expect(TemplateTokenKind.Name, "the name of a variable").Value;
            Expect(TemplateTokenKind.Operator, "'='", "=");
            variables.Add((name, ParseExpression()));
        }

        CloseTag();
        return new WithStatement(line, variables, ParseUntil("with", line));
    }

    /// <summary>Passes a statement that is not supported, with its body if it has one.</summary>
    private UnknownStatement ParseUnknown(string name, int line)
    {
        while (!Is(TemplateTokenKind.BlockEnd) && !Is(TemplateTokenKind.End)) Take();
        CloseTag();
        if (Ends(name)) ParseUntil(name, line);
        return new UnknownStatement(line, name);
    }

    private IfStatement ParseIf(int line)
    {
        var branches = new List<(TemplateExpression?, List<TemplateStatement>)>();
        TemplateExpression? condition = ParseTuple();
        CloseTag();
        while (true)
        {
            branches.Add((condition, ParseBody()));
            if (condition is not null && Accept(TemplateTokenKind.Name, "elif"))
            {
                condition = ParseTuple();
                CloseTag();
            }
            else if (condition is not null && Accept(TemplateTokenKind.Name, "else"))
            {
                condition = null;
                CloseTag();
            }
            else
            {
                CloseBlock("if", line);
                return new IfStatement(line, branches);
            }
        }
    }

    private ForStatement ParseFor(int line)
    {
        var targets = new List<string>();
        var bracket = Accept(TemplateTokenKind.Operator, "(");
        do
        {
            targets.Add(Expect(TemplateTokenKind.Name, "the name of a loop variable").Value);
        }
        while (Accept(TemplateTokenKind.Operator, ","));
        if (bracket) Expect(TemplateTokenKind.Operator, "')'", ")");
        Expect(TemplateTokenKind.Name, "'in'", "in");

        var source = ParseOr();
        var filter = Accept(TemplateTokenKind.Name, "if") ? ParseExpression() : null;
        var recursive = Accept(TemplateTokenKind.Name, "recursive");
        CloseTag();
        _loops++;
        var body = ParseBody();
        _loops--;
        List<TemplateStatement> otherwise = [];
        if (Accept(TemplateTokenKind.Name, "else"))
        {
            CloseTag();
            otherwise = ParseBody();
        }

        CloseBlock("for", line);
        return new ForStatement(line, targets, source, filter, body, otherwise, recursive);
    }

    private SetStatement ParseSet(int line)
    {
        var targets = new List<(string, string?)>();
        var bracket = Accept(TemplateTokenKind.Operator, "(");
        do
        {
            var name = Expect(TemplateTokenKind.Name, "the name of a variable").Value;
            targets.Add((name, Accept(TemplateTokenKind.Operator, ".") ? Expect(TemplateTokenKind.Name, "a name after '.'").Value : null));
        }
        while (Accept(TemplateTokenKind.Operator, ","));
        if (bracket) Expect(TemplateTokenKind.Operator, "')'", ")");
        if (Accept(TemplateTokenKind.Operator, "="))
        {
            var value = ParseTuple();
            CloseTag();
            return new SetStatement(line, targets, value);
        }

        var body = new List<TemplateStatement>();
        var text = ParseFilters(new BodyExpression(line, body));
        CloseTag();
        body.AddRange(ParseUntil("set", line));
        return new SetStatement(line, targets, text);
    }

    private List<TemplateStatement> ParseUntil(string block, int line)
    {
        var loops = _loops;
        // A jump must not leave a block whose text is being gathered.
        _loops = block is "generation" or "with" or "autoescape" ? loops : 0;
        var body = ParseBody();
        _loops = loops;
        CloseBlock(block, line);
        return body;
    }

    private bool Ends(string block)
    {
        _ends ??= [.. All.Zip(All.Skip(1)).Where(pair => pair.First.Kind == TemplateTokenKind.BlockStart).Select(pair => pair.Second.Value)];
        return _ends.Contains("end" + block);
    }

    private void CloseTag() => Expect(TemplateTokenKind.BlockEnd, "'%}'");

    private void CloseBlock(string block, int line)
    {
        if (!Accept(TemplateTokenKind.Name, "end" + block))
            throw TemplateToken.Error(line, $"the block '{block}' is not closed: 'end{block}' is needed; found {Current} in line {Current.Line}.");
        CloseTag();
    }
}
