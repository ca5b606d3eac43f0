//! What vectors are for, in everybody's words.

use canonical::embedding::EmbeddingTask;

/// The task that any vendor's word means.
pub(super) fn from_name(name: &str) -> EmbeddingTask {
    match name.to_ascii_lowercase().as_str() {
        "query" | "search_query" | "retrieval_query" | "retrieval.query" => EmbeddingTask::Query,
        "document" | "passage" | "search_document" | "retrieval_document" | "retrieval.passage" => {
            EmbeddingTask::Document
        }
        "semantic_similarity" | "similarity" => EmbeddingTask::Similarity,
        "classification" => EmbeddingTask::Classification,
        "clustering" => EmbeddingTask::Clustering,
        "question_answering" => EmbeddingTask::QuestionAnswering,
        "fact_verification" => EmbeddingTask::FactVerification,
        "code_retrieval_query" => EmbeddingTask::CodeQuery,
        _ => EmbeddingTask::Other(name.to_owned()),
    }
}

/// <https://ai.google.dev/api/embeddings#tasktype>
pub(super) fn gemini(task: &EmbeddingTask) -> &str {
    match task {
        EmbeddingTask::Query => "RETRIEVAL_QUERY",
        EmbeddingTask::Document => "RETRIEVAL_DOCUMENT",
        EmbeddingTask::Similarity => "SEMANTIC_SIMILARITY",
        EmbeddingTask::Classification => "CLASSIFICATION",
        EmbeddingTask::Clustering => "CLUSTERING",
        EmbeddingTask::QuestionAnswering => "QUESTION_ANSWERING",
        EmbeddingTask::FactVerification => "FACT_VERIFICATION",
        EmbeddingTask::CodeQuery => "CODE_RETRIEVAL_QUERY",
        EmbeddingTask::Other(word) => word,
    }
}

/// Cohere demands a word. What is stored is the usual case: a document.
/// <https://docs.cohere.com/reference/embed>
pub(super) fn cohere(task: Option<&EmbeddingTask>) -> &str {
    match task {
        None | Some(EmbeddingTask::Document) => "search_document",
        Some(
            EmbeddingTask::Query
            | EmbeddingTask::QuestionAnswering
            | EmbeddingTask::FactVerification
            | EmbeddingTask::CodeQuery,
        ) => "search_query",
        Some(EmbeddingTask::Classification) => "classification",
        // Near each other are those that are alike: what its clusters are made of.
        Some(EmbeddingTask::Clustering | EmbeddingTask::Similarity) => "clustering",
        Some(EmbeddingTask::Other(word)) => word,
    }
}

/// Nova demands a word as well.
/// <https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html>
pub(super) fn nova(task: Option<&EmbeddingTask>) -> &str {
    match task {
        None | Some(EmbeddingTask::Document | EmbeddingTask::Similarity) => "GENERIC_INDEX",
        Some(
            EmbeddingTask::Query
            | EmbeddingTask::QuestionAnswering
            | EmbeddingTask::FactVerification
            | EmbeddingTask::CodeQuery,
        ) => "GENERIC_RETRIEVAL",
        Some(EmbeddingTask::Classification) => "CLASSIFICATION",
        Some(EmbeddingTask::Clustering) => "CLUSTERING",
        Some(EmbeddingTask::Other(word)) => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendors_word_for_a_task_comes_back_as_that_vendors_word() {
        for word in ["search_query", "search_document", "classification", "clustering", "image"] {
            assert_eq!(cohere(Some(&from_name(word))), word);
        }
        for word in ["RETRIEVAL_QUERY", "SEMANTIC_SIMILARITY", "CODE_RETRIEVAL_QUERY", "SOMETHING_NEW"] {
            assert_eq!(gemini(&from_name(word)), word);
        }
        assert_eq!(nova(Some(&from_name("TEXT_RETRIEVAL"))), "TEXT_RETRIEVAL");
        assert_eq!(gemini(&from_name("search_query")), "RETRIEVAL_QUERY");
    }
}
