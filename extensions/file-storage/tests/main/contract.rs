use collector_testing::Folder;
use collector_testing::contract::{self, Subject};

use crate::support::yaml;

#[tokio::test]
async fn fulfils_the_contract() {
    let folder = Folder::new("file-storage-contract");
    let subject = Subject::new(file_storage_extension::factory(), yaml(&folder, ""));
    contract::extension(&subject).await;
}
