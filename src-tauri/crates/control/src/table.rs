//! The one list of commands. Dispatch and the window's bindings are both read from it: a command
//! is one function in `commands/<domain>.rs` and its line here.

/// Calls `$then!` with every command: name, handler, arguments, result.
macro_rules! with_commands {
    ($then:ident) => {
        $then! {
            "app.status" => app::status(StatusArgs) -> AppStatus;
            "providers.kinds" => providers::kinds(Empty) -> Vec<ProviderKind>;
            "providers.list" => providers::list(Empty) -> Vec<ProviderView>;
            "providers.look" => providers::look(Empty) -> Vec<ProviderView>;
            "providers.save" => providers::save(SaveProviderArgs) -> ();
            "providers.remove" => providers::remove(IdArgs) -> ();
            "providers.set_key" => providers::set_key(SetKeyArgs) -> ();
            "providers.test" => providers::test(IdArgs) -> ProviderTest;
            "providers.models" => providers::models(IdArgs) -> Vec<ModelView>;
            "models.list" => models::list(Empty) -> Vec<ModelView>;
            "clients.list" => clients::list(Empty) -> Vec<ClientView>;
            "clients.add" => clients::add(AddClientArgs) -> NewClient;
            "clients.remove" => clients::remove(IdArgs) -> ();
            "settings.get" => settings::get(Empty) -> SettingsView;
            "settings.set_text" => settings::set_text(SetTextArgs) -> Option<SettingsError>;
            "settings.set_listen" => settings::set_listen(SetListenArgs) -> ();
            "routes.list" => routes::list(Empty) -> Vec<RouteView>;
            "routes.save" => routes::save(SaveRouteArgs) -> ();
            "routes.remove" => routes::remove(IdArgs) -> ();
            "routing.view" => routing::view(Empty) -> RoutingView;
            "routing.probe" => routing::probe(TargetView) -> ProbeView;
            "routing.park" => routing::park(ParkArgs) -> ();
            "routing.drain" => routing::drain(DrainArgs) -> ();
            "chats.list" => chats::list(ListChatsArgs) -> Vec<ChatView>;
            "chats.create" => chats::create(CreateChatArgs) -> ChatView;
            "chats.get" => chats::get(IdArgs) -> ChatTreeView;
            "chats.rename" => chats::rename(RenameChatArgs) -> ();
            "chats.delete" => chats::delete(IdArgs) -> ();
            "chats.set_draft" => chats::set_draft(SetDraftArgs) -> ();
            "chat.send" => chat::send(SendArgs) -> SendResult;
            "chat.regenerate" => chat::regenerate(RegenerateArgs) -> SendResult;
            "chat.stop" => chat::stop(StopArgs) -> ();
            "requests.list" => requests::list(ListRequestsArgs) -> RequestPage;
            "requests.totals" => requests::totals(RequestFilter) -> RequestTotals;
            "requests.switches" => requests::switches(SwitchesArgs) -> Vec<SwitchView>;
            "requests.get" => requests::get(IdArgs) -> RequestView;
            "health.list" => health::list(HealthArgs) -> Vec<HealthRow>;
            "tools.failures" => tools::failures(ToolFailuresArgs) -> Vec<ToolFailureView>;
            "tools.counts" => tools::counts(HealthArgs) -> Vec<ToolFailureCountView>;
            "spend.summary" => spend::summary(SpendArgs) -> SpendSummaryView;
        }
    };
}
pub(crate) use with_commands;
