#include "app/command_line.h"

#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "base/error.h"
#include "base/log.h"

namespace spaktok::app {

namespace {

constexpr const char* examples = R"(Examples:
  spaktok serve                                       everything in ./data, page at http://localhost:8080
  spaktok serve --http 0.0.0.0:8080 --public-url https://live.example.org --data /var/lib/spaktok
  spaktok demo                                        a place full of life, to look around
  spaktok user create --username ada --email ada@example.org --role admin
  spaktok move --to-relational postgres://spaktok@db/spaktok
  spaktok check                                       whether counts and rankings are right
  spaktok config                                      what is in force, and where it comes from
Settings may also stand in spaktok.toml (or --config FILE) and in the environment as SPAKTOK_HTTP and so on.)";

struct Words {
    std::map<std::string, std::string> flags;  // settings by name
    std::string config;
    MigrateOptions migrate;
    CheckOptions check;
    MoveWords move;
    UserOptions user;
};

// Every command takes every setting: --rate-limit-scale for rate_limit_scale.
void add_settings(CLI::App& command, Words& words) {
    command
        .add_option("--config", words.config,
                    "Settings file. Default: spaktok.toml in the working directory, where it exists.")
        ->type_name("FILE");
    for (const auto& description : setting_descriptions()) {
        std::string flag = "--" + std::string(description.name);
        std::ranges::replace(flag, '_', '-');
        const std::string name(description.name);
        command
            .add_option_function<std::string>(
                flag, [&words, name](const std::string& value) { words.flags[name] = value; },
                std::string(description.help))
            ->type_name("TEXT")
            ->default_str(std::string(description.fallback))
            ->group("Settings");
    }
}

Settings load(const Words& words) {
    SettingSources sources{.flags = words.flags};
    if (!words.config.empty()) sources.file = words.config;
    sources.environment = [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    auto settings = load_settings(sources);
    log::configure(settings.log);
    return settings;
}

using Run = std::function<int()>;

void add_command(CLI::App& parent, const std::string& name, const std::string& help, Words& words,
                 Run& chosen, std::function<int(Settings)> body,
                 const std::function<void(CLI::App&)>& options = nullptr) {
    auto* command = parent.add_subcommand(name, help);
    if (options) options(*command);
    add_settings(*command, words);
    command->callback(
        [&words, &chosen, body = std::move(body)] { chosen = [&words, body] { return body(load(words)); }; });
}

void add_user_commands(CLI::App& parent, Words& words, Run& chosen) {
    auto* user = parent.add_subcommand("user", "Make and change accounts.");
    user->require_subcommand(1);
    const auto add_name = [&words](CLI::App& command) {
        command.add_option("--username", words.user.username, "Username.")->required();
    };
    const auto add_password = [&words](CLI::App& command) {
        command.add_flag("--password-stdin", words.user.password_from_stdin,
                         "Read the password from standard input, one line.");
    };
    add_command(
        *user, "create", "Make an account.", words, chosen,
        [&words](Settings settings) { return create_user(std::move(settings), words.user); },
        [&](CLI::App& command) {
            add_name(command);
            add_password(command);
            command.add_option("--email", words.user.email, "Email address.")->required();
            command.add_option("--role", words.user.role, "user, moderator or admin.")->default_val("user");
        });
    add_command(
        *user, "password", "Set a new password; ends the user's sessions.", words, chosen,
        [&words](Settings settings) { return reset_password(std::move(settings), words.user); },
        [&](CLI::App& command) {
            add_name(command);
            add_password(command);
        });
    add_command(
        *user, "role", "Change what an account may do.", words, chosen,
        [&words](Settings settings) { return set_role(std::move(settings), words.user); },
        [&](CLI::App& command) {
            add_name(command);
            command.add_option("--role", words.user.role, "user, moderator or admin.")->required();
        });
    add_command(*user, "list", "Print all accounts, one a line.", words, chosen,
                [](Settings settings) { return list_users(std::move(settings)); });
}

void add_move_command(CLI::App& parent, Words& words, Run& chosen) {
    add_command(
        parent, "move",
        "Copy all that is stored to other engines and compare both. Stop every node first; a move that was "
        "interrupted goes on when it is repeated.",
        words, chosen, [&words](const Settings& settings) { return move_engines(settings, words.move); },
        [&words](CLI::App& command) {
            const auto add = [&command](const std::string& engine, const std::string& variable,
                                        std::string& url) {
                command
                    .add_option("--to-" + engine, url,
                                "URL of the " + engine + " engine to move to, as in the settings.")
                    ->type_name("URL")
                    ->envname("SPAKTOK_TO_" + variable);
            };
            add("relational", "RELATIONAL", words.move.relational);
            add("document", "DOCUMENT", words.move.document);
            add("realtime", "REALTIME", words.move.realtime);
            add("blob", "BLOB", words.move.blob);
        });
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
    CLI::App app("Spaktok: a self-hosted place where people go live, watch, follow and talk.", "spaktok");
    app.footer(examples);
    app.require_subcommand(1);
    Words words;
    Run chosen;
    add_command(app, "serve", "Serve the page, the API and the live streams.", words, chosen,
                [](Settings settings) { return serve(std::move(settings)); });
    add_command(
        app, "migrate", "Bring the schema up to date and stop. `serve` does it too.", words, chosen,
        [&words](Settings settings) { return migrate(settings, words.migrate); },
        [&words](CLI::App& command) {
            command.add_flag("--plan", words.migrate.plan, "Show what would be done, and do nothing.");
        });
    add_command(
        app, "check",
        "Compare values that follow from others (counts, live documents, rankings, balances) with these, and "
        "tell what differs.",
        words, chosen, [&words](const Settings& settings) { return check(settings, words.check); },
        [&words](CLI::App& command) {
            command
                .add_option("part", words.check.part,
                            "`ledger`: the money alone, which --repair never touches. Default: everything.")
                ->check(CLI::IsMember({"ledger"}));
            command.add_flag("--repair", words.check.repair, "Set right what differs.");
        });
    add_move_command(app, words, chosen);
    add_command(app, "config", "Print the settings in force and where each comes from.", words, chosen,
                [](const Settings& settings) { return print_config(settings); });
    add_command(app, "routes", "Print every route of the API: method, path, operation.", words, chosen,
                [](Settings settings) { return print_routes(std::move(settings)); });
    add_user_commands(app, words, chosen);
    add_command(app, "demo", "Serve with demo people, past chats, and live test broadcasts.", words, chosen,
                [](Settings settings) { return demo(std::move(settings)); });
    app.add_subcommand("version", "Print the version.")->callback([&chosen] { chosen = print_version; });
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        constexpr int wrong_usage = 2;
        return app.exit(error) == 0 ? 0 : wrong_usage;
    }
    try {
        return chosen();
    } catch (const Error& error) {
        std::cerr << "spaktok: " << error.message()
                  << (error.detail().empty() ? "" : " (" + error.detail() + ")") << '\n';
        return error.code() == ErrorCode::invalid_argument ? 2 : 1;
    } catch (const std::exception& error) {
        std::cerr << "spaktok: " << error.what() << '\n';
        return 1;
    }
}

}  // namespace spaktok::app
