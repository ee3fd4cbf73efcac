//! What every operation of the OpenAPI document has in common, said once: how errors look, and what a mutation needs.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::api::{Gap, Problem};
use crate::problem::MEDIA_TYPE;

const CHECK_ONLY: &str = "/v1/config/validate";

/// The document with what all operations share.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("bascule admin API")
        .version("v1")
        .description(Some(
            "Shares are in percent, ratios 0 to 1, durations in seconds, times RFC 3339 in UTC. \
             The unix socket may change things; TCP is read-only without a token.",
        ))
        .build();
    let components = document.components.get_or_insert_with(Components::new);
    for (name, schema) in [
        (Problem::name(), Problem::schema()),
        (Gap::name(), Gap::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
    let mut nested = Vec::new();
    Problem::schemas(&mut nested);
    components.schemas.extend(nested);
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    for (path, item) in &mut document.paths.paths {
        for operation in [
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ] {
            let Some(operation) = operation else { continue };
            mutation(operation, path != CHECK_ONLY);
        }
        let all = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in all.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            responses.insert("default".to_owned(), RefOr::T(problem()));
        }
    }
    document
}

fn problem() -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    ResponseBuilder::new()
        .description("why it was refused")
        .content(MEDIA_TYPE, Content::new(Some(schema)))
        .build()
}

fn mutation(operation: &mut Operation, needs_if_match: bool) {
    let scopes: [String; 0] = [];
    operation.security = Some(vec![SecurityRequirement::new("token", scopes)]);
    let parameters = operation.parameters.get_or_insert_default();
    if needs_if_match {
        let what = "the ETag of what was read, or `*`; 428 without it, 412 when it is stale";
        parameters.push(RefOr::T(text(
            "If-Match",
            ParameterIn::Header,
            Required::True,
            what,
        )));
    }
    let what = "why; operators must give a reason here or in the body";
    parameters.push(RefOr::T(text(
        "X-Reason",
        ParameterIn::Header,
        Required::False,
        what,
    )));
    let what = "`true`: check and answer, change nothing";
    parameters.push(RefOr::T(text(
        "dry_run",
        ParameterIn::Query,
        Required::False,
        what,
    )));
}

fn text(name: &str, place: ParameterIn, required: Required, what: &str) -> Parameter {
    let string = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(what))
        .schema(Some(string))
        .build()
}
